/** What a trace says about the signal in it. Values in V, times in s. */

export interface SampledSignal {
  /** One value a point. */
  readonly values: Float64Array;
  /** Time of point k is t0 + k · dt. */
  readonly t0: number;
  readonly dt: number;
}

export interface Sine {
  /** Peak, not negative. */
  readonly amplitude: number;
  /** At time 0, of a cosine; rad, −π … π. */
  readonly phase: number;
  readonly offset: number;
}

/**
 * The sine of a known frequency that fits best, by least squares (the normal equations of cosine, sine and constant).
 */
export function fitSine({ values, t0, dt }: SampledSignal, frequency: number): Sine {
  const step = 2 * Math.PI * frequency * dt;
  let [cc, cs, ss, c1, s1] = [0, 0, 0, 0, 0];
  let [cy, sy, y1] = [0, 0, 0];
  for (const [k, y] of values.entries()) {
    const c = Math.cos(step * k);
    const s = Math.sin(step * k);
    cc += c * c;
    cs += c * s;
    ss += s * s;
    c1 += c;
    s1 += s;
    cy += c * y;
    sy += s * y;
    y1 += y;
  }
  const [a, b, offset] = solve3(
    [
      [cc, cs, c1],
      [cs, ss, s1],
      [c1, s1, values.length],
    ],
    [cy, sy, y1],
  );
  // a·cos(x) + b·sin(x) = A·cos(x + φ), x = 0 at the first point.
  const turn = Math.atan2(-b, a) - 2 * Math.PI * frequency * t0;
  return { amplitude: Math.hypot(a, b), phase: wrapped(turn), offset };
}

/**
 * The frequency near a supposed one, from how the phase moves on between the two halves; right if the supposition is
 * closer than one period in half the trace.
 */
export function frequencyNear(signal: SampledSignal, supposed: number): number {
  const half = Math.floor(signal.values.length / 2);
  const first = { ...signal, values: signal.values.subarray(0, half) };
  const second = { ...signal, t0: signal.t0 + half * signal.dt, values: signal.values.subarray(half, 2 * half) };
  const drift = wrapped(fitSine(second, supposed).phase - fitSine(first, supposed).phase);
  return supposed + drift / (2 * Math.PI * half * signal.dt);
}

/** Time of the upward crossing of a level that is nearest to time 0, by interpolation; NaN if there is none. */
export function upwardCrossingNearZero({ values, t0, dt }: SampledSignal, level: number): number {
  let nearest = Number.NaN;
  for (let k = 1; k < values.length; k++) {
    const [before = 0, after = 0] = [values[k - 1], values[k]];
    if (before >= level || after < level) continue;
    const time = t0 + (k - 1 + (level - before) / (after - before)) * dt;
    if (!(Math.abs(time) >= Math.abs(nearest))) nearest = time;
  }
  return nearest;
}

/** Straight line through a part of a trace, in V/s. */
export function slope({ values, dt }: SampledSignal, from: number, to: number): number {
  const part = values.subarray(from, to);
  const middle = (part.length - 1) / 2;
  let [xy, xx] = [0, 0];
  for (const [k, y] of part.entries()) {
    xy += (k - middle) * y;
    xx += (k - middle) ** 2;
  }
  return xy / (xx * dt);
}

export function meanAndDeviation(values: Float64Array): { mean: number; deviation: number } {
  let total = 0;
  for (const one of values) total += one;
  const mean = total / values.length;
  let squares = 0;
  for (const one of values) squares += (one - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

/** An angle in rad, −π … π. */
export function wrapped(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}

type Row = readonly [number, number, number];

/** Cramer's rule. */
function solve3([r1, r2, r3]: readonly [Row, Row, Row], right: Row): Row {
  const determinant = (a: Row, b: Row, c: Row): number =>
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
  const whole = determinant(r1, r2, r3);
  const withColumn = (row: Row, value: number, column: number): Row => [
    column === 0 ? value : row[0],
    column === 1 ? value : row[1],
    column === 2 ? value : row[2],
  ];
  const unknown = (column: number): number =>
    determinant(withColumn(r1, right[0], column), withColumn(r2, right[1], column), withColumn(r3, right[2], column)) /
    whole;
  return [unknown(0), unknown(1), unknown(2)];
}
