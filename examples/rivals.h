/* SPDX-License-Identifier: BSD-2-Clause */
/* examples/rivals.h - what poolbench compares: three ways to have blocks. */
#ifndef RIVALS_H
#define RIVALS_H

#include <stdbool.h>
#include <stdint.h>

/* Blocks of POOL_BLOCK bytes, latched between a call and its _done. */
struct store {
	const char *name;
	bool (*open)(const char *path, uint64_t blocks, uint64_t frames);
	void *(*read)(uint64_t number);
	void (*read_done)(uint64_t number, void *block);
	void *(*write)(uint64_t number);
	void (*write_done)(uint64_t number, void *block);
	uint64_t (*brought)(void); /* blocks read from the file so far */
	uint64_t (*resident)(void);
};

extern const struct store store_lru, store_mmap;

#endif
