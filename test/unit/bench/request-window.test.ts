import { expect, test } from 'vitest';
import {
  RequestWindow,
  type RequestWindowOptions,
  STUN_WAITS_MS,
} from '../../../src/bench/request-window.ts';
import { TurnClient, TurnClientContext } from '../../../src/bench/turn-client.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import { ATTR_XOR_RELAYED_ADDRESS, CLASS_SUCCESS, METHOD_ALLOCATE } from '../../../src/wire/stun.ts';
import { StunWriter } from '../../../src/wire/stun-writer.ts';

interface Sent {
  readonly client: number;
  readonly atMs: number;
  readonly request: Uint8Array;
}

/** A window over `clients` whose requests go into `sent`; time is what the test says. */
function setUp(clients: number, options: Partial<RequestWindowOptions> = {}) {
  const book = new EndpointBook(256, 0);
  const peer = book.acquire();
  book.setText(peer, '192.0.2.9', 5004);
  const context = new TurnClientContext(book, undefined);
  const turns = Array.from({ length: clients }, () => new TurnClient(context, peer, 0x4000));
  const sent: Sent[] = [];
  const clock = { nowMs: 0 };
  const window = new RequestWindow(
    turns,
    (client, request) => sent.push({ client, request, atMs: clock.nowMs }),
    {
      outstandingMax: 100,
      operationsPerSecond: Number.POSITIVE_INFINITY,
      waitsMs: STUN_WAITS_MS,
      ...options,
    },
  );
  const advanceTo = (untilMs: number): void => {
    for (; clock.nowMs <= untilMs; clock.nowMs += 10) window.step(clock.nowMs);
    clock.nowMs = untilMs;
  };
  const grant = (client: number): void => {
    const { request } = sent.findLast((entry) => entry.client === client) as Sent;
    const writer = new StunWriter(new Uint8Array(128));
    writer.begin(0, METHOD_ALLOCATE, CLASS_SUCCESS).answering(request, 0, false);
    writer.xorAddress(ATTR_XOR_RELAYED_ADDRESS, book, peer);
    window.receive(client, writer.bytes, 0, writer.length, clock.nowMs);
  };
  return { window, sent, clock, advanceTo, grant };
}

test('an unanswered request is sent seven times, each wait twice as long, then given up', () => {
  const { window, sent, advanceTo } = setUp(1);
  window.begin('allocate', 0);
  advanceTo(39_490);
  expect(sent.map(({ atMs }) => atMs)).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500]);
  expect(new Set(sent.map(({ request }) => request)).size).toBe(1);
  expect(window.isOver).toBe(false);
  advanceTo(39_500);
  expect(window.isOver).toBe(true);
  expect(window.tally).toMatchObject({
    done: 0,
    failed: 1,
    retransmissions: 6,
    failures: ['allocate: no answer'],
    endedMs: 39_500,
  });
});

test('no more requests are under way than the window allows', () => {
  const { window, sent, advanceTo, grant } = setUp(5, { outstandingMax: 2 });
  window.begin('allocate', 0);
  advanceTo(0);
  expect(sent.map(({ client }) => client)).toEqual([0, 1]);
  grant(1);
  advanceTo(10);
  expect(sent.map(({ client }) => client)).toEqual([0, 1, 2]);
});

test('operations begin no faster than the rate', () => {
  const { window, sent, advanceTo } = setUp(20, { operationsPerSecond: 100 });
  window.begin('allocate', 0);
  advanceTo(50);
  expect(sent.map(({ atMs }) => atMs)).toEqual([0, 10, 20, 30, 40, 50]);
});

test('it is over when every client is answered, and tells when', () => {
  const { window, advanceTo, grant } = setUp(2);
  window.begin('allocate', 0);
  advanceTo(0);
  grant(0);
  expect(window.isOver).toBe(false);
  advanceTo(70);
  grant(1);
  expect(window.isOver).toBe(true);
  expect(window.tally).toMatchObject({ done: 2, failed: 0, beganMs: 0, endedMs: 70 });
});

test('a duplicate answer is counted once', () => {
  const { window, advanceTo, grant } = setUp(2);
  window.begin('allocate', 0);
  advanceTo(0);
  grant(0);
  grant(0);
  expect(window.tally.done).toBe(1);
});

test('clients without an allocation have nothing to release', () => {
  const { window, sent, advanceTo } = setUp(3);
  window.begin('release', 0);
  advanceTo(0);
  expect([sent.length, window.isOver]).toEqual([0, true]);
});

test('cancelling begins nothing more, and what is under way may end', () => {
  const { window, sent, advanceTo, grant } = setUp(3, { outstandingMax: 1 });
  window.begin('allocate', 0);
  advanceTo(0);
  window.cancel();
  expect(window.isOver).toBe(false);
  grant(0);
  advanceTo(10);
  expect([sent.length, window.isOver]).toEqual([1, true]);
});
