/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who waits for a page, and who frees one (src/vm/grab.c, node.c, magazine.c),
 * for spin.
 *
 * N threads free a page each, into a magazine if that is open and else into the
 * node; as many wait for one, and keep it.  A push into the magazine is a
 * restartable sequence: it looks at the gates, and its last step happens unless
 * a fence came between.  The node is tight when a request found it empty; then
 * the magazine refuses, and is drained before the request fails; it is easy
 * again when it holds a page.  A sleep ends by a wake only: the 50 ms after
 * which it ends in any case are left out, and with them every excuse.
 *
 * Each atomic{} is a critical section under the node's lock, or one atomic
 * step.  A number that is compared with what it was (frees, eased, fences) is a
 * flag here, which says whether it has changed.
 *
 * Checked: everybody gets a page.  A state in which somebody sleeps, and nobody
 * is left to wake him, is an invalid end.
 *
 * BUG=1..7 plants a mistake each, which the test must see found.  Number 7 was
 * ours: who drained a magazine had its pages in hand while another found nothing
 * and went to sleep, and took one of them; nobody told of the others.
 */
#ifndef BUG
#define BUG 0
#endif
#define N 2

byte held = 0;		/* pages in the node */
byte mag = 0;		/* pages in the magazine */
bool closed = false;	/* the magazine is locked */
bool tight = false;
bool drained = false;	/* tight, and the magazine is empty since */
byte waiters = 0;
byte served = 0;
bool asleep[N];
bool freed[N];		/* frees has changed, for this waiter */
bool eased[N];		/* likewise */
bool fenced[N];		/* this freer's sequence starts again */

#define ALL(flag, value) d_step { flag[0] = value; flag[1] = value }

/* With the node's lock. */
inline note_tight()
{
	if
	:: held == 0 -> tight = true
	:: else ->
		if
		:: tight -> ALL(eased, true)
		:: else -> skip
		fi;
		tight = false;
		drained = false
	fi
}

/* grab.c: ns_vm_freed */
inline wake_waiters()
{
	if
	:: waiters != 0 ->
#if BUG != 4
		ALL(freed, true);
#endif
		ALL(asleep, false)
	:: else -> skip
	fi
}

/* page.c: vm_page_free */
proctype freer(byte me)
{
	bool pushed = false, again = true;

#if BUG == 2
	wake_waiters();			/* before the page is there */
#endif
	do
	:: again ->
		again = false;
		fenced[me] = false;
		if
		:: atomic { !tight && !closed -> skip };
			atomic {		/* the last step */
				if
#if BUG == 3
				:: true ->	/* nobody restarts it */
#else
				:: !fenced[me] ->
#endif
					mag++; pushed = true
				:: else -> again = true
				fi
			}
		:: else -> skip
		fi
	:: else -> break
	od;
	if
	:: pushed -> skip
	:: else -> atomic { held++; note_tight() }
	fi;
#if BUG != 2
	wake_waiters()
#endif
}

/* node.c: take_above and gather */
inline try(me)
{
	atomic {
		got = held > 0;
		if
		:: got -> held--; note_tight()
		:: else ->
			skip_drain = drained;
			eased[me] = false;
#if BUG != 5
			tight = true
#endif
		fi
	};
	if
	:: got -> skip
	:: else ->
		if
		:: skip_drain -> skip
		:: else ->		/* magazine.c: ns_vm_mag_drain */
			atomic { !closed -> closed = true };
			ALL(fenced, true);
			atomic { taken = mag; mag = 0; closed = false };
			if
			:: taken == 0 -> skip
			:: else ->	/* node.c: ns_vm_put_all */
				atomic {
					held = held + taken;
					taken = 0;
					note_tight()
				};
#if BUG != 7
				wake_waiters()
#endif
			fi
		fi;
		atomic {
			if
#if BUG == 6
			:: true -> drained = true	/* easy since or not */
#else
			:: tight && !eased[me] -> drained = true
#endif
			:: else -> skip
			fi;
			got = held > 0;
			if
			:: got -> held--; note_tight()
			:: else -> skip
			fi
		}
	fi
}

/* grab.c: noobj */
proctype waiter(byte me)
{
	byte taken;
	bool got, skip_drain;

	do
	:: true ->
#if BUG != 1
		atomic { waiters++ };
#endif
		freed[me] = false;
		try(me);
		if
		:: got -> skip
		:: else ->
#if BUG == 1
			atomic { waiters++ };	/* too late */
#endif
			atomic {		/* FUTEX_WAIT */
				if
				:: freed[me] -> skip
				:: else -> asleep[me] = true
				fi
			};
			!asleep[me]
		fi;
#if BUG == 1
		if
		:: got -> skip
		:: else -> atomic { waiters-- }
		fi;
#else
		atomic { waiters-- };
#endif
		if
		:: got -> served++; break
		:: else -> skip
		fi
	od
}

init {
	atomic { run freer(0); run freer(1); run waiter(0); run waiter(1) };
	(served == N);
	assert(held == 0 && mag == 0)
}
