import type { Socket } from 'node:net';

/** Sends a message that is in parts, in one go. `sent`: they have left, or never will. */
export function writeParts(socket: Socket, parts: readonly Uint8Array[], sent?: () => void): void {
  if (parts.length > 1) socket.cork();
  for (const [k, part] of parts.entries()) socket.write(part, k + 1 === parts.length ? sent : undefined);
  if (parts.length > 1) socket.uncork();
}
