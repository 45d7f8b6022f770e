/**
 * PyRPL's `monitor_server`, for any register bus: what PyRPL on a PC, or pitayad itself with `--bus monitor:…`, talks
 * to. Its corners are those of monitor_server.c: a request of 0 words is passed over in silence; where the original
 * dies (an unknown command, an address that is no multiple of 4, a block over a 128 KiB boundary, a bus error), this
 * one closes that connection.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { BusError, PitayadError } from '../../errors.ts';
import type { RegisterBus } from './bus.ts';
import { HEADER_BYTES, PAGE_BYTES, READ, WRITE } from './monitor-protocol.ts';

/** Addresses that the processor's port to the FPGA takes; what is there to be found is the bus's to say. */
const PORT = { from: 0x4000_0000, to: 0x7fff_ffff } as const;

/** Bytes that may wait for a client that does not read: some of the largest answers. */
const MAX_QUEUED = 8 * PAGE_BYTES;

/** Clients that may wait for their turn. */
const MAX_WAITING = 16;

/** What a server answers besides the registers, in no time. */
export interface SideAddresses {
  /** Whether a request that begins there is for it. */
  has(address: number): boolean;
  read(address: number, words: number): Uint32Array;
  write(address: number, words: Uint32Array): void;
}

export interface MonitorServerOptions {
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  /** Clients at a time; further ones wait for their turn. Default 1, as on the board. */
  readonly maxClients?: number;
  readonly side?: SideAddresses;
  /** Told before each request that goes to the registers. */
  readonly request?: () => void;
  /** Why a connection was closed. */
  readonly dropped?: (reason: string) => void;
}

export interface MonitorServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * @throws PitayadError if it cannot listen there
 */
export async function serveMonitor(bus: RegisterBus, options: MonitorServerOptions): Promise<MonitorServer> {
  const { host, port, maxClients = 1, dropped = () => {} } = options;
  const served = new Set<Socket>();
  const waiting = new Set<Socket>();

  const begin = (socket: Socket): void => {
    served.add(socket);
    converse(socket, bus, options).catch((error: unknown) => {
      // A client that breaks off asked for nothing wrong.
      if (error instanceof PitayadError) dropped(error.message);
      socket.destroy();
    });
  };

  const server = createServer((socket) => {
    socket.on('error', () => {
      // It is closed next.
    });
    socket.once('close', () => {
      served.delete(socket);
      waiting.delete(socket);
      const [next] = waiting;
      if (!next || served.size >= maxClients) return;
      waiting.delete(next);
      begin(next);
    });
    if (served.size < maxClients) begin(socket);
    else if (waiting.size < MAX_WAITING) waiting.add(socket);
    else {
      dropped(`more than ${maxClients} clients, and ${MAX_WAITING} that wait`);
      socket.destroy();
    }
  });
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new PitayadError(`Cannot listen on ${host}:${port}: ${(error as Error).message}`, { cause: error });
  }
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of [...served, ...waiting]) socket.destroy();
      await closed;
    },
  };
}

/** Serves one client until it goes. @throws BusError, PitayadError: why it must go */
async function converse(socket: Socket, bus: RegisterBus, options: MonitorServerOptions): Promise<void> {
  socket.setNoDelay(true);
  let waiting: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
    for (let used = await answer(waiting, socket, bus, options); used > 0; ) {
      waiting = waiting.subarray(used);
      used = await answer(waiting, socket, bus, options);
    }
  }
}

/** Answers the request at the beginning of `bytes` if it is complete. Gives its length, or 0. */
async function answer(bytes: Buffer, socket: Socket, bus: RegisterBus, options: MonitorServerOptions): Promise<number> {
  if (bytes.length < HEADER_BYTES) return 0;
  const header = bytes.subarray(0, HEADER_BYTES);
  const command = header.readUInt8(0);
  const words = header.readUInt16LE(2);
  const address = header.readUInt32LE(4);
  if (words === 0) return HEADER_BYTES;
  if (command !== READ && command !== WRITE) throw new PitayadError(`command 0x${command.toString(16)} ends it`);
  const isSide = options.side?.has(address) === true;
  if (!isSide) judge(address, words);
  const length = HEADER_BYTES + (command === WRITE ? 4 * words : 0);
  if (bytes.length < length) return 0;
  if (!isSide) options.request?.();
  if (command === WRITE) {
    const values = Uint32Array.from({ length: words }, (_, k) => bytes.readUInt32LE(HEADER_BYTES + 4 * k));
    if (isSide) options.side?.write(address, values);
    else await bus.writeBlock(address, values);
    await send(socket, header);
  } else {
    const values = isSide ? options.side?.read(address, words) : await bus.readBlock(address, words);
    const reply = Buffer.allocUnsafe(HEADER_BYTES + 4 * words);
    reply.set(header);
    for (let k = 0; k < words; k++) reply.writeUInt32LE(values?.[k] ?? 0, HEADER_BYTES + 4 * k);
    await send(socket, reply);
  }
  return length;
}

/** @throws BusError for what ends the board's own server */
function judge(address: number, words: number): void {
  const where = `0x${address.toString(16)}`;
  if (address % 4 !== 0) throw new BusError(`${where} is no multiple of 4`);
  if (address < PORT.from || address > PORT.to) throw new BusError(`${where} is outside the FPGA's port`);
  if ((address % PAGE_BYTES) + 4 * words > PAGE_BYTES) {
    throw new BusError(`${words} words from ${where} cross a boundary of 128 KiB`);
  }
}

async function send(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed) return;
  const copied = Buffer.from(bytes);
  if (socket.write(copied) || socket.writableLength < MAX_QUEUED) return;
  // Reading goes on when the client has read.
  await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
}
