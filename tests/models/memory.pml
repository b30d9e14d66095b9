/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Memory that several cores share, for models in which it matters when a store is seen. The models
 * include this.
 *
 * A core's stores wait in its store buffer and become visible in any order, also behind the core's
 * later loads. store_release becomes visible behind all that the core has stored before. fence()
 * is a full barrier: the core goes on when its buffer is empty. A call of the kernel is one as
 * well: its lock is freed by a store-release, and who takes it next sees what was before.
 *
 * Loads are in the order of the program. Where the code has a barrier for that, a model has a
 * variant that loads in the wrong order.
 *
 * The model defines CORES. Its processes have `me`: the number, below CORES, of their core.
 */

#define BIT(n) (1 << (n))
#define WORDS  6 /* that a model may use */
#define at(w)  (me * WORDS + (w))

byte word[WORDS];            /* what is visible */
byte stored[CORES * WORDS];  /* the value that waits */
byte waits[CORES];           /* bit w: a store to word w waits */
byte earlier[CORES * WORDS]; /* bit v: the store to word v has to become visible before this one */

#define is_earlier(w)                                                                              \
    ((earlier[at(0)] | earlier[at(1)] | earlier[at(2)] | earlier[at(3)] | earlier[at(4)] |         \
      earlier[at(5)]) &                                                                            \
     BIT(w))

#define load(w) ((waits[me] & BIT(w)) -> stored[at(w)] : word[w])

/*
 * Of each word one store waits at a time. A second one takes its place, unless a store to another
 * word has to become visible between the two.
 */
#define may_store(w) (((waits[me] & BIT(w)) == 0) || !is_earlier(w))

inline store(w, value)
{
    d_step {
        may_store(w) ->
        stored[at(w)] = value;
        waits[me] = waits[me] | BIT(w)
    }
}

inline store_release(w, value)
{
    d_step {
        may_store(w) ->
        stored[at(w)] = value;
        earlier[at(w)] = waits[me] & ~BIT(w);
        waits[me] = waits[me] | BIT(w)
    }
}

#define buffer_is_empty (waits[me] == 0)

inline fence()
{
    buffer_is_empty
}

#define may_become_visible(w) ((waits[me] & BIT(w)) && earlier[at(w)] == 0)

inline become_visible(w)
{
    word[w] = stored[at(w)];
    stored[at(w)] = 0;
    waits[me] = waits[me] & ~BIT(w);
    v = 0;
    do
    :: v < WORDS -> earlier[at(v)] = earlier[at(v)] & ~BIT(w); v++
    :: else -> break
    od;
    v = 0
}

proctype store_buffer(byte me)
{
    byte v;

    do
    :: d_step { may_become_visible(0) -> become_visible(0) }
    :: d_step { may_become_visible(1) -> become_visible(1) }
    :: d_step { may_become_visible(2) -> become_visible(2) }
    :: d_step { may_become_visible(3) -> become_visible(3) }
    :: d_step { may_become_visible(4) -> become_visible(4) }
    :: d_step { may_become_visible(5) -> become_visible(5) }
    od
}
