/** A Coordinator with the board's actors over a real instrument on plain registers, and directors spoken by the test: no network. */
import type { OpenOptions } from '../../../src/fpga/instrument/open.ts';
import { type Coordinator, contentOf, type LecoPeer, openCoordinator } from '../../../src/server/leco/coordinator.ts';
import { devicesOf, type LecoDevice } from '../../../src/server/leco/devices.ts';
import { type LecoMessage, newConversation } from '../../../src/server/leco/message.ts';
import { encodeFrame } from '../../../src/server/leco/position.ts';
import { encodeAnswers, encodeRequest, type RpcAnswer, type RpcRequest } from '../../../src/server/leco/rpc.ts';
import { openStation, type Station } from '../../../src/server/leco/station.ts';
import { dataActuator, type WireValue } from '../../../src/server/wire/values.ts';
import { eventually, silent } from '../../fpga/instrument/fixture.ts';
import { type Bench, bench } from '../by-hand.ts';

/** A request or an answer as it came to a director. */
export interface Heard {
  readonly message: LecoMessage;
  readonly item: RpcRequest | RpcAnswer;
}

export interface Director {
  readonly name: string;
  readonly peer: LecoPeer;
  readonly heard: readonly Heard[];
  /** Methods that actors called, in order. */
  readonly methods: readonly string[];
  /** Acknowledges what it is asked; false: a director that hangs. */
  acknowledges: boolean;
  /** Errors in place of acknowledgements, by method. */
  readonly refuses: Map<string, number>;
  /** Asks, and gives the answer. */
  ask(
    receiver: string,
    method: string,
    params?: Readonly<Record<string, unknown>>,
    ...frames: readonly WireValue[]
  ): Promise<RpcAnswer>;
  say(message: LecoMessage): void;
  /** Waits until a method was called so often, and gives the last call. */
  called(method: string, times?: number): Promise<Heard>;
}

export interface LecoBench extends Bench {
  readonly coordinator: Coordinator;
  readonly station: Station;
  /** The clock, in ms. */
  time: number;
  /** Lets time pass, in steps of 250 ms. */
  pass(ms: number): Promise<void>;
  director(name: string, signIn?: boolean): Director;
}

export async function lecoBench(
  options: Partial<OpenOptions> = {},
  devices: (all: readonly LecoDevice[]) => readonly LecoDevice[] = (all) => all,
): Promise<LecoBench> {
  const all = await bench(options);
  const clock = { now: 0 };
  const now = () => clock.now;
  const coordinator = openCoordinator({
    namespace: 'rp-test',
    address: () => 'rp-test:12300',
    version: '0',
    log: silent,
    now,
    forgotten: (name) => station.forget(name),
  });
  const board: LecoPeer = { peer: 'board', lasting: true, send: (message) => station.receive(message) };
  const station: Station = openStation({
    instrument: all.instrument,
    devices: devices(devicesOf(all.instrument.modules)),
    log: silent,
    traces: { encodeTrace: all.encodeTrace, turn: async () => undefined },
    lasting: true,
    send: (message) => coordinator.receive(board, message),
    hostOf: () => '192.0.2.9',
    now,
  });
  station.connect();
  return {
    ...all,
    coordinator,
    station,
    get time() {
      return clock.now;
    },
    set time(ms: number) {
      clock.now = ms;
    },
    async pass(ms) {
      for (const end = clock.now + ms; clock.now < end; clock.now += 250) {
        station.tick();
        coordinator.tick();
        await new Promise((resolve) => setImmediate(resolve));
      }
      station.tick();
    },
    director: (name, signIn = true) => director(coordinator, name, signIn),
  };
}

function director(coordinator: Coordinator, name: string, signIn: boolean): Director {
  const heard: Heard[] = [];
  const methods: string[] = [];
  const waiting = new Map<string, (answer: RpcAnswer) => void>();
  const fullName = `rp-test.${name}`;
  let ids = 0;

  const peer: LecoPeer = {
    peer: name,
    send(message) {
      for (const item of contentOf(message)?.items ?? []) {
        heard.push({ message, item });
        if (item.what === 'answer') {
          waiting.get(Buffer.from(message.conversation).toString('hex'))?.(item);
          continue;
        }
        methods.push(item.method);
        if (self.acknowledges) acknowledge(message, item);
      }
    },
  };

  function acknowledge({ sender, conversation }: LecoMessage, { id = null, method }: RpcRequest): void {
    const code = self.refuses.get(method);
    const answer: RpcAnswer =
      code === undefined
        ? { what: 'answer', id, result: null }
        : { what: 'answer', id, error: { code, message: 'no' } };
    const payload = [encodeAnswers({ batch: false, answers: [answer] })];
    // As from another process: not within the call.
    setImmediate(() =>
      coordinator.receive(peer, { receiver: sender, sender: fullName, conversation, messageId: 0, type: 1, payload }),
    );
  }

  const self: Director = {
    name: fullName,
    peer,
    heard,
    methods,
    acknowledges: true,
    refuses: new Map(),
    ask(receiver, method, params, ...frames) {
      const conversation = newConversation();
      const answer = new Promise<RpcAnswer>((resolve) => {
        waiting.set(Buffer.from(conversation).toString('hex'), resolve);
      });
      const payload = [encodeRequest(++ids, method, params), ...frames.map(encodeFrame)];
      coordinator.receive(peer, { receiver, sender: fullName, conversation, messageId: 0, type: 1, payload });
      return answer;
    },
    say: (message) => coordinator.receive(peer, message),
    async called(method, times = 1) {
      const calls = () => heard.filter(({ item }) => item.what === 'request' && item.method === method);
      await eventually(() => calls().length >= times, `${times} ${method}, there are ${methods}`);
      return calls()[times - 1] as Heard;
    },
  };
  if (signIn) void self.ask('COORDINATOR', 'sign_in');
  return self;
}

/** A target as a stock director sends it. */
export function target(value: number, units: string): WireValue {
  return dataActuator('move', value, units, 1.7e9);
}

/** A setting that was edited in a director. */
export function edited(name: string, type: string, text: string): WireValue {
  const xml = `<${name} type="${type}" title="x" visible="1" removable="0" readonly="0">${text}</${name}>`;
  return { type: 'ParameterWithPath', path: ['settings_client', name], xml };
}
