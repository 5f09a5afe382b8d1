/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page daemon's word and its lead (src/vm/daemon.c), for spin.
 *
 * CALLERS threads make work and call.  Threads of the crew lead, one at a time,
 * do what work there is, and rest.  Some work is a pager's, which may be late:
 * then who calls takes the lead away, and gives it to a follower or a new
 * thread.  The late one follows when it returns; one pager never does.
 *
 * Checked: no two lead at once; and after a last call no work is left when the
 * crew sleeps.  A pause, which ends by itself, is left out.
 *
 * BUG=1..6 plants a mistake each, which the test must see found.
 */
#ifndef BUG
#define BUG 0
#endif
#define CALLERS 2
#define THREADS 2	/* at most */

mtype = { NONE, BUSY, IDLE, CALLED };

mtype word = NONE;
byte work = 0;		/* to be done */
byte led = 0;
byte followers = 0;
byte writing = 0;	/* 0, or the number of the write */
byte writes = 0;
byte threads = 0;
byte leaders = 0;	/* who believes to lead, and is in no pager */
byte calls = 0;		/* that have ended */
bool hung = false;	/* a pager does not return */
bool sleeps_idle[THREADS];
bool sleeps_led[THREADS];

inline wake_idle() { d_step { sleeps_idle[0] = false; sleeps_idle[1] = false } }
inline wake_led() { d_step { sleeps_led[0] = false; sleeps_led[1] = false } }

proctype crew(byte me)
{
	byte mine;
	bool lost, some;

follow:
	atomic { followers++ };
	do
	:: atomic { led == 0 -> led = 1 }; break
	:: atomic { led != 0 -> sleeps_led[me] = true };
		/* a wake, or the word changed before the sleep began */
end_led:	(!sleeps_led[me] || led == 0);
		sleeps_led[me] = false
	od;
	atomic { followers--; leaders++; assert(leaders == 1) };
	do
	:: true ->
#if BUG == 1
		some = work > 0;	/* looks first, and then says so */
		word = BUSY;
#else
		word = BUSY;
		some = work > 0;
#endif
		if
		:: some ->
			atomic {
				if
				:: work > 0 -> work--
				:: else -> skip
				fi;
				writes++; mine = writes
			};
			if
			:: true -> skip		/* done at once */
			:: true ->		/* a pager's */
				atomic { writing = mine; leaders-- };
				/* here it may be for long, or for ever */
				if
				:: atomic { !hung -> hung = true };
end_hung:				false
				:: true -> skip
				fi;
				atomic {
					lost = (writing != mine);
#if BUG == 2
					lost = false;
#endif
					if
					:: lost -> skip
					:: else ->
						writing = 0;
						leaders++;
						assert(leaders == 1)
					fi
				};
				if
				:: lost -> goto follow
				:: else -> skip
				fi
			fi
		:: !some ->
#if BUG == 3
			word = IDLE;		/* whatever it was */
			atomic { sleeps_idle[me] = true };
end_bug:		!sleeps_idle[me]
#else
			atomic {
				if
				:: word == BUSY -> word = IDLE; lost = false
				:: else -> lost = true
				fi
			};
			if
			:: lost -> skip
			:: else ->
				atomic {
					if
					:: word == IDLE ->
						sleeps_idle[me] = true
					:: else -> skip
					fi
				};
end_idle:			!sleeps_idle[me]
			fi
#endif
		fi
	od
}

/* daemon.c: start */
inline start()
{
	atomic {
		if
		:: threads < THREADS -> run crew(threads); threads++
		:: else -> skip
		fi
	}
}

proctype caller()
{
	mtype seen;
	byte since;
	bool founds = false;

	/* The work is there before the call. */
#if BUG != 4
	atomic { work++ };
#endif
	atomic {
		if
		:: word == NONE -> word = BUSY; founds = true
		:: else -> skip
		fi
	};
	if
	:: founds -> start()
	:: else ->
		atomic {
			seen = word;
			if
			:: seen == BUSY || seen == IDLE -> word = CALLED
			:: else -> skip
			fi
		};
		if
#if BUG == 5
		:: false -> skip		/* nobody is woken */
#else
		:: seen == IDLE -> wake_idle()
#endif
		:: else -> skip
		fi;
		/* depose_late */
		since = writing;
		if
		:: since == 0 -> skip
		:: else ->
			atomic {
				if
				:: writing == since -> writing = 0
				:: else -> since = 0
				fi
			};
			if
			:: since == 0 -> skip
			:: else ->
				led = 0;
#if BUG != 6
				if
				:: followers != 0 -> wake_led()
				:: else -> start()
				fi
#endif
			fi
		fi
	fi;
#if BUG == 4
	atomic { work++ };
#endif
	calls++
}

init {
	atomic { run caller(); run caller() };
	(calls == CALLERS);
	(timeout);
	run caller();			/* who needs pages next */
	(calls == CALLERS + 1);
	(timeout);
	/* All that can go on has: then everybody sleeps. */
	assert(work == 0)
}
