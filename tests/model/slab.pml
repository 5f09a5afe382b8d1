/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol of slab->remote (src/slab/slab.c), for spin.
 *
 * One descriptor, whose memory is used again after its slab was deleted, as
 * in the pool.  OBJS objects.  Two threads at home on the slab's node, which
 * allocate and free, by their magazines or past them, and one at home
 * elsewhere, which only frees.  Whoever frees takes any object that is in
 * use: programs hand objects around.
 *
 * The shared word is (state, set): a set instead of a list, because a push
 * is a CAS of the whole word (slab.c, 5).  Each atomic{} is one CAS, one
 * exchange or a critical section's effect; everything else interleaves.
 *
 * Checked: an object is never handed out while in use (no double hand-out,
 * no loss into two lists), a slab is deleted only when all its objects are
 * free, by one thread, and never while a depot lists it; the depot lists it
 * if and only if it is in state DEPOT; and a thread that finds itself the
 * owner is.  In the end every object in use has been accounted for.
 *
 * BUG=1..6 plants a mistake each, which the test must see found.  Number 6
 * was ours: listed only after the word said so, the slab's last push saw no
 * depot, and an empty slab stayed in it.
 */
#ifndef OBJS
#define OBJS 2
#endif
#ifndef STEPS
#define STEPS 3
#endif
#ifndef BUG
#define BUG 0
#endif
#define ALL ((1 << OBJS) - 1)

mtype = { OWNED, FULL, DEPOT, NOSLAB };

mtype state = NOSLAB;	/* of the word */
byte shared = 0;	/* of the word: objects in the shared list */
byte own_list = 0;		/* slab->free: the owner's */
byte owner = 0;		/* slab->owner: 0 is nobody */
bool listed = false;	/* slab->depot is the depot */
bool lock = false;	/* the depot's */
byte used = 0;		/* objects in use, as the program sees it */
byte current[5];	/* 1: the slab is this thread's current one */

inline acquire() { atomic { !lock -> lock = true } }
inline release() { lock = false }

/* A set bit of @set, or 0. */
inline pick(set, o)
{
	if
	:: (set & 1) -> o = 1
	:: (set & 2) -> o = 2
	:: (set & 4) -> o = 4
	:: (set == 0) -> o = 0
	fi
}

/* The program takes an object that is in use, in order to free it. */
inline grab(o)
{
	atomic {
		pick(used, o);
		used = used & ~o
	}
}

inline hand_out(o)
{
	atomic {
		assert(o != 0 && (used & o) == 0);
		used = used | o
	}
}

inline delete_slab()
{
	atomic {
		assert(!listed && (own_list | shared) == ALL && used == 0);
		owner = 0; own_list = 0; shared = 0; state = NOSLAB
	}
}

/* slab.c: ns_depot_reap */
inline reap(me)
{
	mine = false;
	seen = listed;			/* d = slab->depot */
	if
	:: !seen -> skip
	:: else ->
		acquire();
		atomic {
			if
#if BUG == 4
			:: true ->	/* believes what it saw before */
#else
			:: listed && state == DEPOT && shared == ALL ->
#endif
				listed = false;
				state = OWNED; own_list = shared; shared = 0;
				mine = true
			:: else -> skip
			fi
		}
		release();
		if
		:: mine -> delete_slab()
		:: else -> skip
		fi
	fi
}

/* heap.c: ns_heap_give; o is a set, of one object or a magazine's */
inline free_object(me, home)
{
	if
	:: owner == me ->
		assert(state == OWNED);
		own_list = own_list | o;
		if
		:: (own_list == ALL && !current[me]) -> delete_slab()
		:: else -> skip
		fi
	:: else ->
		done = false;
		do
		:: done -> break
		:: !done ->
			old_state = state; old_shared = shared;
			if
			:: old_state == FULL && home ->
				atomic {	/* ns_slab_take_full */
					if
					:: state == FULL ->
						state = OWNED; done = true
					:: else -> skip
					fi
				}
				if
				:: done ->
					owner = me; current[me] = 0;
					own_list = own_list | o;
					if
					:: own_list == ALL -> delete_slab()
					:: else -> skip
					fi
				:: else -> skip
				fi
			:: old_state == FULL && !home ->
#if BUG != 3
				acquire();
#endif
				if
				:: state == FULL ->
#if BUG != 6
					listed = true;
#endif
					atomic { /* ns_slab_full_to_depot */
						if
						:: state == FULL ->
							state = DEPOT;
							shared = o;
							done = true
						:: else -> skip
						fi
					};
					listed = done
				:: else -> skip
				fi;
#if BUG != 3
				release();
#endif
				if
				:: done && o == ALL -> reap(me)
				:: else -> skip
				fi
			:: old_state == OWNED || old_state == DEPOT ->
				last = false;
				atomic {	/* ns_slab_push */
					if
					:: state == old_state &&
					   shared == old_shared ->
						shared = shared | o;
						last = (state == DEPOT &&
							shared == ALL);
						done = true
					:: else -> skip
					fi
				}
				if
				:: last -> reap(me)
				:: else -> skip
				fi
			/* an object in use keeps its slab alive */
			:: old_state == NOSLAB -> assert(false)
			fi
		od
	fi
}

/* heap.c: alloc_from, feed, next_slab */
inline allocate(me)
{
	o = 0;
	do
	:: o != 0 -> break
	:: o == 0 && current[me] ->
		if
		:: own_list != 0 ->
			pick(own_list, o);
			own_list = own_list & ~o;
			hand_out(o)
		:: own_list == 0 && shared != 0 ->
			atomic { own_list = shared; shared = 0 }
		:: own_list == 0 && shared == 0 ->
#if BUG == 1
			atomic {	/* lets go without looking again */
				state = FULL; got = true
			};
			owner = 0
#else
#if BUG != 2
			owner = 0;
#endif
			atomic {	/* ns_slab_let_go_full */
				if
				:: state == OWNED && shared == 0 ->
					state = FULL; got = true
				:: else -> got = false
				fi
			};
#if BUG == 2
			if
			:: got -> owner = 0	/* too late */
			:: else -> skip
			fi;
#endif
#endif
			if
			:: got -> current[me] = 0
			:: else -> owner = me
			fi
		fi
	:: o == 0 && !current[me] ->
		if
		:: owner == me && own_list != 0 -> current[me] = 1
		:: else ->
			got = false;
			acquire();
			if
			:: listed ->	/* ns_depot_adopt */
				listed = false;
				atomic {
					assert(state == DEPOT);
					state = OWNED; own_list = shared;
					shared = 0; got = true
				}
			:: else -> skip
			fi;
			release();
			if
			:: got -> owner = me; current[me] = 1
			:: else ->
				atomic {	/* ns_slab_new */
					if
					:: state == NOSLAB ->
						state = OWNED; own_list = ALL;
						shared = 0; owner = me;
						current[me] = 1
					:: else -> o = 255 /* none to be had */
					fi
				}
			fi
		fi
	od
}

/* heap.c: give_up, at the thread's end */
inline give_up(me)
{
	if
	:: owner == me ->
		current[me] = 0;
		done = false;
		do
		:: done -> break
		:: !done ->
			atomic { own_list = own_list | shared; shared = 0 };
			if
			:: own_list == ALL -> delete_slab(); done = true
			:: own_list != ALL && own_list != 0 ->
				owner = 0;
				acquire();
#if BUG != 6
				listed = true;
#endif
				atomic {	/* ns_slab_own_to_depot */
#if BUG == 5
					shared = own_list;	/* not merged */
#else
					shared = shared | own_list;
#endif
					own_list = 0; state = DEPOT;
					last = (shared == ALL)
				};
				listed = true;
				release();
				if
				:: last -> reap(me)
				:: else -> skip
				fi;
				done = true
			:: own_list == 0 ->
				owner = 0;
				atomic {
					if
					:: shared == 0 ->
						state = FULL; done = true
					:: else -> skip
					fi
				};
				if
				:: done -> skip
				:: else -> owner = me
				fi
			fi
		od
	:: else -> skip
	fi
}

byte ended = 0;

proctype at_home(byte me)
{
	byte o, mag = 0, step = 0, old_shared;
	mtype old_state;
	bool done, got, last, mine, seen;

	do
	:: step < STEPS ->
		step++;
		if
		:: mag == 0 ->
			allocate(me);
			if	/* and more, for the magazine */
			:: owner == me && own_list != 0 ->
				pick(own_list, o);
				own_list = own_list & ~o;
				mag = o
			:: true -> skip
			fi
		:: mag != 0 ->	/* fast.h: ns_bin_pop */
			pick(mag, o);
			mag = mag & ~o;
			hand_out(o)
		:: grab(o);
			if
			:: o != 0 -> free_object(me, true)
			:: o != 0 -> mag = mag | o	/* ns_free_home */
			:: o == 0 -> skip
			fi
		:: mag != 0 ->	/* magazine.c: flush */
			o = mag;
			mag = 0;
			free_object(me, true)
		fi
	:: step == STEPS -> break
	od;
	if
	:: mag != 0 -> o = mag; mag = 0; free_object(me, true)
	:: else -> skip
	fi;
	give_up(me);
	ended++
}

proctype elsewhere(byte me)
{
	byte o, step = 0, old_shared;
	mtype old_state;
	bool done, last, mine, seen;

	do
	:: step < STEPS ->
		step++;
		grab(o);
		if
		:: o != 0 -> free_object(me, false)
		:: else -> skip
		fi
	:: step == STEPS -> break
	od;
	ended++
}

init {
	byte o, old_shared;
	mtype old_state;
	bool done, last, mine, seen;

	atomic { run at_home(1); run at_home(2); run elsewhere(3) };
	(ended == 3);
	/* Everybody is gone: nothing is owned, lists and use add up. */
	assert(owner == 0 && own_list == 0);
	assert(listed == (state == DEPOT));
	assert(state == NOSLAB || (used | shared) == ALL);
	assert((used & shared) == 0);
	/* What is still in use is freed from elsewhere: nothing stays. */
	do
	:: used != 0 ->
		grab(o);
		free_object(4, false)
	:: used == 0 -> break
	od;
	assert(state == NOSLAB && !listed)
}
