-- Neutral functions: the vocabulary in which the shared views say what the two engines spell differently.
-- Promises: same bits as ../clickhouse/prelude.sql for the ranges named there, integer sums in, one division or root out.
-- Read next: base.sql, then ../README.md for the rules of shared text.

-- a as a 64-bit integer
CREATE OR REPLACE MACRO bw_int(a) AS CAST(a AS BIGINT);

-- x squared without overflow, for exact sums of squares
CREATE OR REPLACE MACRO bw_sq(x) AS CAST(x AS HUGEINT) * CAST(x AS HUGEINT);

-- a / b, and `neutral` where b is 0
CREATE OR REPLACE MACRO bw_share(a, b, neutral) AS CASE WHEN b = 0 THEN CAST(neutral AS DOUBLE) ELSE CAST(a AS DOUBLE) / CAST(b AS DOUBLE) END;

-- a non-negative 128-bit integer as a double, rounded once (exact to 2^53, monotone below 2^116)
CREATE OR REPLACE MACRO bw_wide(v) AS CAST(CAST((v) // 9007199254740992 AS BIGINT) AS DOUBLE) * 9007199254740992e0 + CAST(CAST((v) % 9007199254740992 AS BIGINT) AS DOUBLE);

-- population standard deviation from count, sum and sum of squares, `neutral` where n is 0
CREATE OR REPLACE MACRO bw_std(n, sx, sxx, neutral) AS CASE WHEN n = 0 THEN CAST(neutral AS DOUBLE) ELSE sqrt(bw_wide(CAST(n AS HUGEINT) * CAST(sxx AS HUGEINT) - CAST(sx AS HUGEINT) * CAST(sx AS HUGEINT))) / CAST(n AS DOUBLE) END;

-- exact quantiles of integers at dyadic levels, linear between neighbours, NULL of nothing
CREATE OR REPLACE MACRO bw_q50(x) AS quantile_cont(CAST(x AS DOUBLE), 0.5);
CREATE OR REPLACE MACRO bw_q875(x) AS quantile_cont(CAST(x AS DOUBLE), 0.875);

-- c * log2(c) in units of 2^-20: entropy in fixed point (same on both engines for c up to 1e6)
CREATE OR REPLACE MACRO bw_clog2(c) AS CAST(floor(c * log2(c) * 1048576 + 0.5) AS BIGINT);
