/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mcload - a load for memcached whose answers are known in advance.
 *
 *	mcload SOCKET THREADS OPERATIONS
 *
 * Each thread has its own connection and its own keys, and a model of what
 * the server must hold for them; every answer is compared with the model.
 * The operations are drawn from a generator seeded by the thread's number,
 * so that two runs ask the same and print the same digest.
 */
#include <err.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KEYS     2000u
#define MAX_SIZE 20000u
#define ABSENT   UINT32_MAX

struct client {
	pthread_t thread;
	FILE *in, *out;
	unsigned id;
	uint64_t rng, digest, gets, hits;
	uint32_t size[KEYS]; /* ABSENT: not stored */
	uint32_t seed[KEYS];
	char line[256];
	char want[MAX_SIZE + 2], got[MAX_SIZE + 2];
};

static const char *path;
static unsigned long operations;

static uint32_t
draw(struct client *c, uint32_t below)
{
	c->rng ^= c->rng << 13;
	c->rng ^= c->rng >> 7;
	c->rng ^= c->rng << 17;
	return (uint32_t)(c->rng >> 32) % below;
}

static void
note(struct client *c, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (; n > 0; n--)
		c->digest = (c->digest ^ *p++) * 0x100000001b3ull;
}

static void
fill(char *buf, uint32_t seed, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		buf[i] = (char)('a' + (seed + i * 7 + i / 26) % 26);
	memcpy(buf + size, "\r\n", 2);
}

static void
dial(struct client *c)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(to.sun_path))
		errx(1, "%s: too long for a socket", path);
	strcpy(to.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "%s", path);
	c->in = fdopen(fd, "r");
	c->out = fdopen(dup(fd), "w");
	if (c->in == NULL || c->out == NULL)
		err(1, "fdopen");
}

static void
answer(struct client *c)
{
	if (fflush(c->out) != 0)
		err(1, "sending to memcached");
	if (fgets(c->line, sizeof(c->line), c->in) == NULL)
		errx(1, "memcached closed the connection");
	note(c, c->line, strlen(c->line));
}

static void
expect(struct client *c, const char *want)
{
	answer(c);
	if (strcmp(c->line, want) != 0)
		errx(1, "thread %u: expected %.20s got %s", c->id, want,
		     c->line);
}

static void
set(struct client *c, uint32_t key)
{
	uint32_t size = draw(c, 16) == 0 ? draw(c, MAX_SIZE) : draw(c, 700);

	c->size[key] = size;
	c->seed[key] = draw(c, 1u << 20);
	fill(c->want, c->seed[key], size);
	fprintf(c->out, "set k%u-%u 0 0 %u\r\n", c->id, key, size);
	fwrite(c->want, 1, size + 2, c->out);
	expect(c, "STORED\r\n");
}

static void
get(struct client *c, uint32_t key)
{
	uint32_t size = c->size[key];
	char head[64];

	c->gets++;
	fprintf(c->out, "get k%u-%u\r\n", c->id, key);
	if (size == ABSENT) {
		expect(c, "END\r\n");
		return;
	}
	c->hits++;
	snprintf(head, sizeof(head), "VALUE k%u-%u 0 %u\r\n", c->id, key, size);
	expect(c, head);
	fill(c->want, c->seed[key], size);
	if (fread(c->got, 1, size + 2, c->in) != size + 2 ||
	    memcmp(c->got, c->want, size + 2) != 0)
		errx(1, "thread %u: key %u came back changed", c->id, key);
	note(c, c->got, size);
	expect(c, "END\r\n");
}

static void delete (struct client *c, uint32_t key)
{
	fprintf(c->out, "delete k%u-%u\r\n", c->id, key);
	expect(c, c->size[key] == ABSENT ? "NOT_FOUND\r\n" : "DELETED\r\n");
	c->size[key] = ABSENT;
}

static void *
client_main(void *arg)
{
	struct client *c = arg;
	uint32_t key, what;

	dial(c);
	c->rng = 0x9e3779b97f4a7c15ull * (c->id + 1);
	c->digest = 0xcbf29ce484222325ull;
	memset(c->size, 0xff, sizeof(c->size));
	for (unsigned long i = 0; i < operations; i++) {
		key = draw(c, KEYS);
		what = draw(c, 100);
		if (what < 45)
			set(c, key);
		else if (what < 85)
			get(c, key);
		else
			delete (c, key);
		if (i % 5000 == 4999) { /* a new connection now and then */
			fclose(c->in);
			fclose(c->out);
			dial(c);
		}
	}
	fclose(c->in);
	fclose(c->out);
	return NULL;
}

int
main(int argc, char **argv)
{
	unsigned n = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
	struct client *c = calloc(n, sizeof(*c));

	if (n == 0 || c == NULL)
		errx(2, "usage: mcload SOCKET THREADS OPERATIONS");
	path = argv[1];
	operations = strtoul(argv[3], NULL, 10);
	for (unsigned i = 0; i < n; i++) {
		c[i].id = i;
		if (pthread_create(&c[i].thread, NULL, client_main, &c[i]) != 0)
			errx(1, "pthread_create");
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(c[i].thread, NULL);
		printf("thread %u: %lu gets, %lu hits, digest %016lx\n", i,
		       (unsigned long)c[i].gets, (unsigned long)c[i].hits,
		       (unsigned long)c[i].digest);
	}
	free(c);
	return 0;
}
