/** Sends what no responder should stumble over to the port of mDNS: noise.ts SENDER_ADDRESS. */
import { createSocket } from 'node:dgram';

const [sender = '127.0.0.1'] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', reuseAddr: true });
await new Promise<void>((resolve) => socket.bind(0, () => resolve()));
socket.setMulticastInterface(sender);

/** Numbers that are the same in every run (xorshift). */
let state = 0x9e37_79b9;
function byte(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state & 0xff;
}

/** A question for our service: flags 0, one question, PTR. */
const question = Buffer.concat([
  Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
  Buffer.from('\x08_pymodaq\x04_tcp\x05local\0', 'latin1'),
  Buffer.from([0, 12, 0, 1]),
]);

for (let k = 0; k < 500; k++) {
  const message = k % 2 === 0 ? Buffer.from(question) : Buffer.from(Array.from({ length: byte() * 4 }, byte));
  if (k % 2 === 0) message.writeUInt8(byte(), byte() % message.length);
  // Every other one as an answer.
  if (k % 4 < 2 && message.length > 2) message.writeUInt8(0x84, 2);
  await new Promise<void>((resolve, reject) =>
    socket.send(message, 5353, '224.0.0.251', (error) => (error ? reject(error) : resolve())),
  );
}
socket.close();
