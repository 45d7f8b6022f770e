/**
 * The register bus over TCP: a client of PyRPL's `monitor_server`, on a board or on the co-simulation. A connection
 * that is lost is made again, with back-off; accesses in the meantime are refused at once, because what they were
 * meant for may be gone.
 */
import { connect, type Socket } from 'node:net';
import { BusError } from '../../errors.ts';
import { checkAccess, type Window } from './access.ts';
import { type BusTraffic, FPGA_WINDOW, type RegisterBus } from './bus.ts';
import { openPipeline, type Pipeline } from './monitor-pipeline.ts';
import { type Header, piecesOf, READ, WRITE } from './monitor-protocol.ts';

export interface MonitorOptions {
  readonly host: string;
  readonly port: number;
  /** Seconds without a byte from the server, while it owes an answer, after which the connection counts as lost. Default 5. */
  readonly timeout?: number;
  /** The addresses that may be accessed. Default: the FPGA's window; a test server may have more. */
  readonly window?: Window;
  /** Called when the connection is lost (with the reason) and when it is there again; not for the first connection. */
  readonly onConnection?: (connected: boolean, reason?: string) => void;
}

/** Seconds between attempts to connect again: doubled from the first to the last, until the server answers. */
const FIRST_DELAY = 0.1;
const LAST_DELAY = 5;

/**
 * Connects to a monitor_server and gives its registers.
 * @throws BusError when the first connection cannot be made.
 */
export async function openMonitor(options: MonitorOptions): Promise<RegisterBus> {
  const { host, port, timeout = 5, window = FPGA_WINDOW, onConnection } = options;
  const name = `monitor:${host}:${port}`;
  const traffic: BusTraffic = { wordsRead: 0, wordsWritten: 0 };
  let pipeline: Pipeline | undefined;
  /** Not connected yet. */
  let candidate: Socket | undefined;
  let retry: NodeJS.Timeout | undefined;
  let delay = FIRST_DELAY;
  let closed = false;
  let trouble = '';

  function attempt(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, keepAlive: true });
      candidate = socket;
      socket.setTimeout(timeout * 1000, () => socket.destroy(new Error(`no connection within ${timeout} s`)));
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.off('error', reject);
        candidate = undefined;
        pipeline = openPipeline(socket, name, timeout, answered, lost);
        resolve();
      });
    });
  }

  function answered(): void {
    delay = FIRST_DELAY;
  }

  function lost(reason: string): void {
    pipeline = undefined;
    trouble = reason;
    if (closed) return;
    onConnection?.(false, reason);
    connectAgain();
  }

  function connectAgain(): void {
    retry = setTimeout(async () => {
      try {
        await attempt();
        if (!closed) onConnection?.(true);
      } catch (error) {
        trouble = messageOf(error);
        if (!closed) connectAgain();
      }
    }, delay * 1000);
    delay = Math.min(2 * delay, LAST_DELAY);
  }

  function send(header: Header, data: Uint8Array | undefined, payload: Uint8Array): Promise<void> {
    if (pipeline !== undefined) return pipeline.send(header, data, payload);
    return Promise.reject(new BusError(`no connection to ${name} (${trouble}), trying again; nothing was accessed`));
  }

  function check(address: number, words: number): void {
    if (closed) throw new BusError(`${name} is closed; nothing was accessed`);
    checkAccess(address, words, window);
  }

  async function readBlock(address: number, words: number, into?: Uint32Array): Promise<Uint32Array> {
    check(address, words);
    const result = into ?? new Uint32Array(words);
    traffic.wordsRead += words;
    await Promise.all(
      piecesOf(address, words).map((piece) => send({ command: READ, ...piece }, undefined, bytesOf(result, piece))),
    );
    return result;
  }

  async function writeBlock(address: number, values: Uint32Array): Promise<void> {
    check(address, values.length);
    traffic.wordsWritten += values.length;
    await Promise.all(
      piecesOf(address, values.length).map((piece) =>
        send({ command: WRITE, ...piece }, bytesOf(values, piece), new Uint8Array(0)),
      ),
    );
  }

  try {
    await attempt();
  } catch (error) {
    const reason = messageOf(error);
    throw new BusError(`cannot connect to ${name} (${reason}); is monitor_server running there?`, { cause: error });
  }

  return {
    name,
    traffic,
    read: async (address) => (await readBlock(address, 1))[0] as number,
    write: (address, value) => writeBlock(address, Uint32Array.of(value)),
    readBlock,
    writeBlock,

    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(retry);
      candidate?.destroy(new Error('closed'));
      await pipeline?.drained();
      pipeline?.end('closed');
    },
  };
}

/** The words of a piece as the protocol has them: little-endian, which is the order of every machine that Node runs on. */
function bytesOf(words: Uint32Array, piece: { readonly first: number; readonly words: number }): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset + 4 * piece.first, 4 * piece.words);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
