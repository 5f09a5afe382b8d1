/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tools/elf.c - a symbol's address in another process.
 *
 * What the dynamic loader works with is in the process's memory: program
 * headers, dynamic section, hash table, symbols, strings.  Reading it there
 * needs no file, so it works for deleted files and across containers.  Only
 * a statically linked program has nothing of the kind; for it the symbol
 * table of its file is searched.
 *
 * Nothing that is read is trusted: counts are bounded, and an address that
 * leads nowhere ends the search.
 */
#include "tools/tools.h"

#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PHDRS_MAX   64u
#define DYNAMIC_MAX 256u
#define CHAIN_MAX   65536u

/* What DT_ entries say, as addresses in the process. */
struct dynamic {
	uintptr_t hash, symbols, strings;
};

static bool
get(struct ns_target *t, void *dst, uintptr_t src, size_t n)
{
	return ns_target_read(t, dst, (const void *)src, n) == 0;
}

static bool
is_elf(const ElfW(Ehdr) * h)
{
	return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 &&
	       h->e_ident[EI_CLASS] == ELFCLASS64 &&
	       (h->e_type == ET_EXEC || h->e_type == ET_DYN) &&
	       h->e_phentsize == sizeof(ElfW(Phdr)) && h->e_phnum <= PHDRS_MAX;
}

/*
 * What is added to the file's addresses, from the segment that begins the
 * image; *dynamic is the address of the dynamic section, or 0.
 */
static bool
load_bias(struct ns_target *t, uintptr_t start, uintptr_t *bias,
	  uintptr_t *dynamic)
{
	ElfW(Phdr) p[PHDRS_MAX];
	ElfW(Ehdr) h;
	bool found = false;
	unsigned i;

	*dynamic = 0;
	if (!get(t, &h, start, sizeof(h)) || !is_elf(&h) ||
	    !get(t, p, start + h.e_phoff, h.e_phnum * sizeof(p[0])))
		return false;
	for (i = 0; i < h.e_phnum && !found; i++) {
		if (p[i].p_type != PT_LOAD || p[i].p_offset != 0)
			continue;
		*bias = start - p[i].p_vaddr;
		found = true;
	}
	for (i = 0; i < h.e_phnum && found; i++)
		if (p[i].p_type == PT_DYNAMIC)
			*dynamic = *bias + p[i].p_vaddr;
	return found;
}

/* glibc makes these addresses absolute as it loads an object; others not. */
static uintptr_t
absolute(uintptr_t value, uintptr_t bias)
{
	return value < bias ? value + bias : value;
}

static bool
read_dynamic(struct ns_target *t, uintptr_t at, uintptr_t bias,
	     struct dynamic *d)
{
	ElfW(Dyn) e;

	*d = (struct dynamic){ 0 };
	for (unsigned i = 0; i < DYNAMIC_MAX; i++, at += sizeof(e)) {
		if (!get(t, &e, at, sizeof(e)) || e.d_tag == DT_NULL)
			break;
		if (e.d_tag == DT_GNU_HASH)
			d->hash = absolute(e.d_un.d_ptr, bias);
		else if (e.d_tag == DT_SYMTAB)
			d->symbols = absolute(e.d_un.d_ptr, bias);
		else if (e.d_tag == DT_STRTAB)
			d->strings = absolute(e.d_un.d_ptr, bias);
	}
	return d->hash != 0 && d->symbols != 0 && d->strings != 0;
}

static uint32_t
gnu_hash(const char *s)
{
	uint32_t h = 5381;

	for (; *s != '\0'; s++)
		h = h * 33 + (unsigned char)*s;
	return h;
}

/* The symbol's value when it is @name and defined, else 0. */
static uintptr_t
match(struct ns_target *t, const struct dynamic *d, uint32_t index,
      const char *name)
{
	size_t n = strlen(name) + 1;
	char text[64];
	ElfW(Sym) sym;

	if (n > sizeof(text) ||
	    !get(t, &sym, d->symbols + index * sizeof(sym), sizeof(sym)) ||
	    sym.st_shndx == SHN_UNDEF ||
	    !get(t, text, d->strings + sym.st_name, n) ||
	    memcmp(text, name, n) != 0)
		return 0;
	return sym.st_value;
}

/* The GNU hash table: header, Bloom filter, buckets, chains. */
static uintptr_t
lookup(struct ns_target *t, const struct dynamic *d, const char *name)
{
	struct {
		uint32_t nbuckets, symoffset, bloom_size, bloom_shift;
	} head;
	uint32_t hash = gnu_hash(name), index, link = 0, n;
	uintptr_t buckets, chains, value;

	if (!get(t, &head, d->hash, sizeof(head)) || head.nbuckets == 0)
		return 0;
	buckets = d->hash + sizeof(head) + 8ul * head.bloom_size;
	chains = buckets + 4ul * head.nbuckets;
	if (!get(t, &index, buckets + 4ul * (hash % head.nbuckets), 4) ||
	    index < head.symoffset)
		return 0;
	for (n = 0; n < CHAIN_MAX && (link & 1) == 0; n++, index++) {
		if (!get(t, &link, chains + 4ul * (index - head.symoffset), 4))
			return 0;
		if ((link | 1) != (hash | 1))
			continue;
		value = match(t, d, index, name);
		if (value != 0)
			return value;
	}
	return 0;
}

uintptr_t
ns_elf_find(struct ns_target *t, uintptr_t start, const char *name)
{
	uintptr_t bias, dynamic, value;
	struct dynamic d;

	if (!load_bias(t, start, &bias, &dynamic) || dynamic == 0 ||
	    !read_dynamic(t, dynamic, bias, &d))
		return 0;
	value = lookup(t, &d, name);
	return value != 0 ? value + bias : 0;
}

/* --- the symbol table of a file --- */

struct image {
	const char *base;
	size_t size;
};

static const void *
inside(const struct image *m, size_t offset, size_t size)
{
	if (offset > m->size || size > m->size - offset || offset % 8 != 0)
		return NULL;
	return m->base + offset;
}

static uintptr_t
scan_symbols(const struct image *m, const ElfW(Shdr) * table,
	     const ElfW(Shdr) * strings, const char *name)
{
	const ElfW(Sym) *sym = inside(m, table->sh_offset, table->sh_size);
	size_t n = strlen(name) + 1;

	if (sym == NULL || strings->sh_offset > m->size ||
	    strings->sh_size > m->size - strings->sh_offset)
		return 0;
	for (size_t i = 0; i < table->sh_size / sizeof(*sym); i++)
		if (sym[i].st_shndx != SHN_UNDEF &&
		    sym[i].st_name < strings->sh_size &&
		    n <= strings->sh_size - sym[i].st_name &&
		    memcmp(m->base + strings->sh_offset + sym[i].st_name, name,
			   n) == 0)
			return sym[i].st_value;
	return 0;
}

static uintptr_t
scan_file(const struct image *m, const char *name)
{
	const ElfW(Ehdr) *h = inside(m, 0, sizeof(*h));
	const ElfW(Shdr) * s;
	uintptr_t value = 0;

	if (h == NULL || !is_elf(h) || h->e_shentsize != sizeof(*s))
		return 0;
	s = inside(m, h->e_shoff, h->e_shnum * sizeof(*s));
	for (unsigned i = 0; s != NULL && i < h->e_shnum && value == 0; i++)
		if (s[i].sh_type == SHT_SYMTAB && s[i].sh_link < h->e_shnum)
			value = scan_symbols(m, &s[i], &s[s[i].sh_link], name);
	return value;
}

uintptr_t
ns_elf_find_static(struct ns_target *t, uintptr_t start, int fd,
		   const char *name)
{
	uintptr_t bias, dynamic, value;
	struct image m;
	struct stat st;
	void *p;

	if (!load_bias(t, start, &bias, &dynamic) || fstat(fd, &st) != 0 ||
	    st.st_size <= 0)
		return 0;
	m.size = (size_t)st.st_size;
	p = mmap(NULL, m.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return 0;
	m.base = p;
	value = scan_file(&m, name);
	munmap(p, m.size);
	return value != 0 ? value + bias : 0;
}
