-- Neutral functions: the vocabulary in which the shared views say what the two engines spell differently.
-- Promises: same bits as ../duckdb/prelude.sql for counts below 1e6 in bw_clog2 and values below 2^116 in bw_wide.
-- SQL functions are global in ClickHouse and expanded when a view is created: re-create the views after a change.
-- Read next: base.sql, then ../README.md for the rules of shared text.

-- a as a 64-bit integer
CREATE OR REPLACE FUNCTION bw_int AS (a) -> toInt64(a);

-- x squared without overflow, for exact sums of squares
CREATE OR REPLACE FUNCTION bw_sq AS (x) -> toInt128(x) * toInt128(x);

-- a / b, and `neutral` where b is 0
CREATE OR REPLACE FUNCTION bw_share AS (a, b, neutral) -> if(b = 0, toFloat64(neutral), toFloat64(a) / toFloat64(b));

-- a non-negative 128-bit integer as a double, rounded once (exact to 2^53, monotone below 2^116)
CREATE OR REPLACE FUNCTION bw_wide AS (v) -> toFloat64(toInt64(intDiv(v, toInt128(9007199254740992)))) * 9007199254740992. + toFloat64(toInt64(v % toInt128(9007199254740992)));

-- population standard deviation from count, sum and sum of squares, `neutral` where n is 0
CREATE OR REPLACE FUNCTION bw_std AS (n, sx, sxx, neutral) -> if(n = 0, toFloat64(neutral), sqrt(bw_wide(toInt128(n) * toInt128(sxx) - toInt128(sx) * toInt128(sx))) / toFloat64(n));

-- exact quantiles of integers at dyadic levels, linear between neighbours, NULL of nothing
CREATE OR REPLACE FUNCTION bw_q50 AS (x) -> quantileExactInclusive(0.5)(x);
CREATE OR REPLACE FUNCTION bw_q875 AS (x) -> quantileExactInclusive(0.875)(x);

-- c * log2(c) in units of 2^-20: entropy in fixed point
CREATE OR REPLACE FUNCTION bw_clog2 AS (c) -> toInt64(floor(c * log2(c) * 1048576 + 0.5));
