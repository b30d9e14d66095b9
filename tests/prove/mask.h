/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Assumption: the provers are not told of `&` and `>>` by WP. A bit is set that is set in both; a
 * shift to the right divides.
 */
/*@ axiomatic mask {
      axiom masked: \forall integer a, b; 0 <= a && 0 <= b ==>
          0 <= (a & b) && (a & b) <= a && (a & b) <= b;
      axiom shifted: \forall integer a, b; 0 <= a && 0 <= b ==> 0 <= (a >> b) && (a >> b) <= a;
    }
 */
