/** What is used of fft.js, which has no types of its own. */
declare module 'fft.js' {
  export default class FFT {
    /** @param size a power of two */
    constructor(size: number);
    /** `output`: re, im of each frequency; `input`: re, im of each sample. */
    transform(output: Float64Array, input: Float64Array): void;
    /** Of real samples; the first half of `output` is filled. */
    realTransform(output: Float64Array, input: Float64Array): void;
  }
}
