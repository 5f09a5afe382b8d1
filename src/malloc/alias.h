/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/alias.h - a second exported name for a function of the same file.
 */
#ifndef NS_MALLOC_ALIAS_H
#define NS_MALLOC_ALIAS_H

#include "base/base.h"

#ifdef __has_attribute
#if __has_attribute(copy)
#define NS_ALIAS(name) ns_export __attribute__((alias(#name), copy(name)))
#endif
#endif
#ifndef NS_ALIAS
#define NS_ALIAS(name) ns_export __attribute__((alias(#name)))
#endif

#endif
