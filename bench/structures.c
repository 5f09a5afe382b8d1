/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/structures.c - data structures that programs build, use and drop.
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 *
 *	tree	an unbalanced search tree with a name of 4 to 60 bytes in
 *		each node, dropped from the leaves up: compilers, parsers
 *	graph	nodes whose lists of edges grow by realloc; half of the
 *		nodes go in random order, then the others
 *	hash	a chained table that doubles as it fills, with a copied key
 *		and value in each entry; every entry is replaced once
 *	text	lines are appended to a growing buffer, cut into words, each
 *		a copy, and joined again: scripts
 *
 * Time is for one node, entry or word: its part of everything from the first
 * malloc to the last free.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gbench.h"

static char *
make_name(uint64_t *rng)
{
	size_t len = 4 + gbench_below(rng, 8) * gbench_below(rng, 8);
	char *name = malloc(len + 1);

	memset(name, 'a' + (int)(len % 26), len);
	name[len] = '\0';
	return name;
}

struct tree {
	struct tree *child[2];
	uint64_t key;
	char *name;
};

static void
tree_add(struct tree **root, uint64_t key, uint64_t *rng)
{
	struct tree *t = malloc(sizeof(*t));

	while (*root)
		root = &(*root)->child[key > (*root)->key];
	*t = (struct tree){ .key = key, .name = make_name(rng) };
	*root = t;
}

static void
tree_drop(struct tree *t)
{
	if (!t)
		return;
	tree_drop(t->child[0]);
	tree_drop(t->child[1]);
	free(t->name);
	free(t);
}

static void
tree(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	int64_t n = b->arg[0];

	gbench_loop_batch(b, n) {
		struct tree *root = NULL;

		for (int64_t i = 0; i < n; i++)
			tree_add(&root, gbench_random(&rng), &rng);
		gbench_use(root);
		tree_drop(root);
	}
}

struct node {
	uint32_t nedges, room;
	struct node **edge;
	char label[];
};

static struct node *
node_make(uint64_t *rng)
{
	size_t len = 8 + gbench_below(rng, 120);
	struct node *n = malloc(sizeof(*n) + len);

	*n = (struct node){ 0 };
	memset(n->label, 1, len);
	return n;
}

static void
node_link(struct node *from, struct node *to)
{
	if (from->nedges == from->room) {
		from->room = from->room ? from->room * 2 : 2;
		from->edge =
		    realloc(from->edge, from->room * sizeof(*from->edge));
	}
	from->edge[from->nedges++] = to;
}

static void
node_drop(struct node *n)
{
	free(n->edge);
	free(n);
}

/* Edges go to the low numbers more often, so that degrees differ. */
static void
graph_once(struct node **node, size_t n, uint64_t *rng)
{
	for (size_t i = 0; i < n; i++) {
		node[i] = node_make(rng);
		for (int e = 0; e < 4; e++)
			node_link(node[gbench_below(
				      rng, gbench_below(rng, i + 1) + 1)],
				  node[i]);
	}
	for (size_t i = 0; i < n / 2; i++) {
		size_t j = i + gbench_below(rng, n - i);
		struct node *gone = node[j];

		node[j] = node[i];
		node_drop(gone);
	}
	for (size_t i = n / 2; i < n; i++)
		node_drop(node[i]);
}

static void
graph(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	size_t n = (size_t)b->arg[0];
	struct node **node = malloc(n * sizeof(struct node *));

	gbench_loop_batch(b, (int64_t)n)
		graph_once(node, n, &rng);
	free(node);
}

struct entry {
	struct entry *next;
	uint64_t hash;
	char *key, *value;
};

struct hash {
	struct entry **bucket;
	size_t nbuckets, nentries;
};

static void
hash_grow(struct hash *h)
{
	size_t n = h->nbuckets ? h->nbuckets * 2 : 16;
	struct entry **bucket = calloc(n, sizeof(struct entry *));

	for (size_t i = 0; i < h->nbuckets; i++) {
		for (struct entry *e = h->bucket[i], *next; e; e = next) {
			next = e->next;
			e->next = bucket[e->hash % n];
			bucket[e->hash % n] = e;
		}
	}
	free(h->bucket);
	h->bucket = bucket;
	h->nbuckets = n;
}

/* Sets a key; a new value takes the place of an old one. */
static void
hash_set(struct hash *h, uint64_t number, uint64_t *rng)
{
	uint64_t hash = number * 0x9e3779b97f4a7c15ull >> 20;
	struct entry *e;

	if (h->nentries >= h->nbuckets)
		hash_grow(h);
	e = h->bucket[hash % h->nbuckets];
	while (e && e->hash != hash)
		e = e->next;
	if (!e) {
		e = malloc(sizeof(*e));
		*e = (struct entry){ .next = h->bucket[hash % h->nbuckets],
				     .hash = hash,
				     .key = malloc(24) };
		snprintf(e->key, 24, "k%llu", (unsigned long long)number);
		h->bucket[hash % h->nbuckets] = e;
		h->nentries++;
	}
	free(e->value);
	e->value = make_name(rng);
}

static void
hash_drop(struct hash *h)
{
	for (size_t i = 0; i < h->nbuckets; i++) {
		for (struct entry *e = h->bucket[i], *next; e; e = next) {
			next = e->next;
			free(e->key);
			free(e->value);
			free(e);
		}
	}
	free(h->bucket);
}

static void
hash(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	int64_t n = b->arg[0];

	gbench_loop_batch(b, n) {
		struct hash h = { 0 };

		for (int64_t i = 0; i < 2 * n; i++)
			hash_set(&h, (uint64_t)(i % n), &rng);
		hash_drop(&h);
	}
}

static size_t
words_of(char *text, char **word)
{
	size_t n = 0;

	for (char *p = text, *end; *p; p = end + 1) {
		end = strchr(p, ' ');
		word[n++] = strndup(p, (size_t)(end - p));
	}
	return n;
}

static char *
text_make(size_t words, uint64_t *rng)
{
	size_t len = 0;
	char *text = NULL;

	for (size_t i = 0; i < words; i++) {
		size_t n = 1 + gbench_below(rng, 6) * gbench_below(rng, 6);

		text = realloc(text, len + n + 2);
		memset(text + len, 'x', n);
		text[len + n] = ' ';
		len += n + 1;
	}
	text[len] = '\0';
	return text;
}

static void
text(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	size_t n = (size_t)b->arg[0];
	char **word = malloc(n * sizeof(*word));

	gbench_loop_batch(b, (int64_t)n) {
		char *text = text_make(n, &rng), *joined = NULL;
		size_t count = words_of(text, word), len = 0;

		for (size_t i = 0; i < count; i++) {
			size_t more = strlen(word[i]);

			joined = realloc(joined, len + more + 1);
			memcpy(joined + len, word[i], more + 1);
			len += more;
			free(word[i]);
		}
		free(text);
		free(joined);
	}
	free(word);
}

static const struct gbench_case cases[] = {
	{ .name = "tree",
	  .run = tree,
	  .threads = { 1, 2 },
	  .args = { GBENCH_LIST("n", 1000, 50000) } },
	{ .name = "graph",
	  .run = graph,
	  .threads = { 1, 2 },
	  .args = { GBENCH_LIST("n", 1000, 50000) } },
	{ .name = "hash",
	  .run = hash,
	  .threads = { 1, 2 },
	  .args = { GBENCH_LIST("n", 1000, 50000) } },
	{ .name = "text",
	  .run = text,
	  .args = { GBENCH_LIST("words", 100, 20000) } },
	{ 0 }
};

int
main(int argc, char **argv)
{
	return gbench_main(argc, argv, cases);
}
