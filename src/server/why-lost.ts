/** Why a connection of our own making is not there, and what to do about it, by the code of the system. */

/** @param words what it means at this kind of peer that nobody listens, and that the peer reset the connection */
export function whyLost(
  { code, message }: NodeJS.ErrnoException,
  words: { readonly refused: string; readonly reset: string },
): string {
  if (code === 'ECONNREFUSED') return words.refused;
  if (code === 'ECONNRESET') return words.reset;
  if (code === 'ETIMEDOUT') return 'the computer does not answer: is it on?';
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'the computer cannot be reached: is it on?';
  return `the connection failed: ${message}`;
}
