/** One offer, several that answer it; and offers that go to one after another. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../../src/b2bua/ng-request.ts';
import { EXTERNAL, INTERNAL } from '../../kit/b2bua-node.ts';
import { audio, CM_80, crypto, keysIn, portsIn, SignallingRig, sdpOf } from './signalling-rig.ts';

const OFFER = sdpOf('192.0.2.1', audio());
const answerFrom = (host: number): string => sdpOf(`10.0.0.${host}`, audio());

let rig: SignallingRig;
afterEach(() => expect(rig.end()).toEqual([]));

function tags(): (string | null)[] {
  return rig.report().legs.map(({ tag }) => tag);
}

/** Where each leg's RTP goes, by tag. */
function remotes(): Record<string, string | null | undefined> {
  return Object.fromEntries(
    rig.report().legs.map(({ tag, lines }) => [tag ?? '', lines[0]?.streams[0]?.remote]),
  );
}

/** Pairs of tags, from whom RTP goes on to whom. */
function flows(): string[] {
  const legs = rig.node.core.calls.get('call-1@example.org')?.legs ?? [];
  return legs.flatMap((leg) => {
    const to = leg.lines[0]?.rtp?.forwardsTo;
    const receiver = legs.find(({ components }) => to !== undefined && components.includes(to));
    return receiver ? [`${leg.tag}>${receiver.tag}`] : [];
  });
}

describe('several answers to one offer', () => {
  it('share its ports; the last one is listened to, and an earlier one may answer again', () => {
    rig = new SignallingRig();
    rig.offer(OFFER);
    const toA = rig.answer(answerFrom(20), { 'to-tag': 'B' });
    expect(portsIn(rig.answer(answerFrom(30), { 'to-tag': 'C' }))).toEqual(portsIn(toA));
    expect(tags()).toEqual(['A', 'C']);
    expect(rig.report().legs[1]?.earlierTags).toEqual(['B']);
    expect(remotes()).toEqual({ A: '192.0.2.1:40000', C: '10.0.0.30:40000' });
    expect(rig.answer(answerFrom(20), { 'to-tag': 'B' })).toBe(toA);
    expect(remotes()).toEqual({ A: '192.0.2.1:40000', B: '10.0.0.20:40000' });
    expect(rig.command('query', {})).toMatchObject({ tags: { A: {}, B: { medias: [{}] }, C: { tag: 'C' } } });
  });

  it('of an encrypted offer each take a key of it', () => {
    rig = new SignallingRig();
    const keys = keysIn(rig.offer(OFFER, { 'transport-protocol': 'RTP/SAVP', SDES: [`only-${CM_80}`] }));
    for (const tag of ['B', 'C']) {
      rig.answer(sdpOf('10.0.0.20', audio('RTP/SAVP', crypto(1, CM_80, tag))), { 'to-tag': tag });
    }
    expect(keysIn(rig.offer(OFFER, { 'transport-protocol': 'RTP/SAVP', SDES: [`only-${CM_80}`] }))).toEqual(
      keys,
    );
  });

  it('go on under any of their tags: offers back, deletes', () => {
    rig = new SignallingRig();
    rig.offer(OFFER);
    rig.answer(answerFrom(20), { 'to-tag': 'early' });
    rig.answer(answerFrom(20), { 'to-tag': 'final' });
    rig.offerBack(answerFrom(20), { 'from-tag': 'early' });
    rig.answerBack(OFFER, { 'from-tag': 'early' });
    expect(rig.report().legs).toHaveLength(2);
    expect(rig.delete({ 'from-tag': 'early' })).not.toHaveProperty('warning');
    expect(rig.node.core.calls.size).toBe(0);
  });

  it('are remembered in bounds', () => {
    rig = new SignallingRig();
    rig.offer(OFFER);
    for (let i = 0; i < 1000; i++) rig.answer(answerFrom(20), { 'to-tag': `tag-${i}` });
    expect(rig.report().legs[1]?.earlierTags).toEqual(Array.from({ length: 32 }, (_, i) => `tag-${967 + i}`));
  });
});

describe('branches', () => {
  const branch = (name: string): NgDictionary => ({ 'via-branch': name });

  /** A offered to B and C in branches of their own. */
  function forked(): { readonly toB: string; readonly toC: string } {
    rig = new SignallingRig();
    const toB = rig.offer(OFFER, branch('b'));
    return { toB, toC: rig.offer(OFFER, branch('c')) };
  }

  it('have ports of their own, and share those of the caller', () => {
    const { toB, toC } = forked();
    expect(portsIn(toB)).not.toEqual(portsIn(toC));
    expect(rig.node.counter('mediaPorts')).toBe(6);
    expect(rig.offer(OFFER, branch('b'))).toBe(toB);
    expect(rig.offer(OFFER, branch('c'))).toBe(toC);
  });

  it('are answered each by its own; the caller talks to the last', () => {
    forked();
    const toA = rig.answer(answerFrom(20), { ...branch('b'), 'to-tag': 'B' });
    expect(flows()).toEqual(['A>B', 'B>A']);
    const again = rig.answer(answerFrom(30), { ...branch('c'), 'to-tag': 'C' });
    expect(portsIn(again)).toEqual(portsIn(toA));
    expect(flows()).toEqual(['A>C', 'C>A']);
    expect(remotes()).toEqual({ A: '192.0.2.1:40000', B: '10.0.0.20:40000', C: '10.0.0.30:40000' });
    rig.answer(answerFrom(20), { 'to-tag': 'B' }); // later by its tag alone
    expect(flows()).toEqual(['A>B', 'B>A']);
  });

  it('without a name answer as the last that was offered', () => {
    forked();
    rig.answer(answerFrom(30), { 'to-tag': 'X' });
    expect(tags()).toEqual(['A', null, 'X']);
  });

  it('are deleted one by one, and the call with the last', () => {
    forked();
    rig.answer(answerFrom(20), { ...branch('b'), 'to-tag': 'B' });
    expect(rig.delete({ 'from-tag': 'A', ...branch('c') })).toMatchObject({ result: 'ok', totals: {} });
    expect(tags()).toEqual(['A', 'B']);
    expect(flows()).toEqual(['A>B', 'B>A']);
    expect(rig.node.counter('mediaPorts')).toBe(4);
    rig.delete({ 'from-tag': 'A', ...branch('b') });
    expect(rig.node.core.calls.size).toBe(0);
  });

  it('that another has superseded end alone, by either tag', () => {
    for (const keys of [
      { 'from-tag': 'B' },
      { 'from-tag': 'A', 'to-tag': 'B' },
      { 'from-tag': 'B', 'to-tag': 'A' },
    ]) {
      forked();
      rig.answer(answerFrom(20), { ...branch('b'), 'to-tag': 'B' });
      rig.answer(answerFrom(30), { ...branch('c'), 'to-tag': 'C' });
      rig.delete(keys);
      expect(tags()).toEqual(['A', 'C']);
      expect(flows()).toEqual(['A>C', 'C>A']);
      expect(rig.end()).toEqual([]);
    }
  });

  it('end with the caller, and with the one he talks to', () => {
    for (const tag of ['A', 'C']) {
      forked();
      rig.answer(answerFrom(20), { ...branch('b'), 'to-tag': 'B' });
      rig.answer(answerFrom(30), { ...branch('c'), 'to-tag': 'C' });
      rig.delete({ 'from-tag': tag });
      expect(rig.node.core.calls.size).toBe(0);
    }
    forked();
    rig.delete({ 'from-tag': 'A' }); // CANCEL before any answer
    expect(rig.node.core.calls.size).toBe(0);
  });

  it('that end while the caller talks to them leave him silent until another answers', () => {
    forked();
    rig.answer(answerFrom(20), { ...branch('b'), 'to-tag': 'B' });
    rig.delete({ 'from-tag': 'A', ...branch('b') });
    expect(flows()).toEqual([]);
    rig.answer(answerFrom(30), { ...branch('c'), 'to-tag': 'C' });
    expect(flows()).toEqual(['A>C', 'C>A']);
  });

  it('offer and answer on in their own dialog, whatever branch these have', () => {
    const { toB } = forked();
    rig.answer(answerFrom(20), { ...branch('b'), 'to-tag': 'B' });
    expect(rig.offer(OFFER, { ...branch('later'), 'to-tag': 'B' })).toBe(toB);
    expect(tags()).toEqual(['A', 'B', null]);
  });

  it('are no more than 32 legs in all, even without media', () => {
    rig = new SignallingRig();
    const empty = sdpOf('192.0.2.1');
    for (let i = 0; i < 31; i++) rig.offer(empty, branch(`b${i}`));
    expect(rig.refusedOffer(empty, branch('one too many'))).toBe('The call has 32 legs already');
    expect(rig.report().legs).toHaveLength(32);
  });
});

describe('an offer that goes elsewhere', () => {
  const zones = [EXTERNAL, INTERNAL, { name: 'third', addresses: ['10.9.0.1'] }];
  const towards = (zone: string): NgDictionary => ({ direction: ['external', zone] });

  it('opens a leg there, once, and leaves the first one as it is', () => {
    rig = new SignallingRig({ zones });
    const toB = rig.offer(OFFER, towards('internal'));
    for (let i = 0; i < 20; i++) {
      expect(rig.offer(OFFER, towards('third'))).toContain('c=IN IP4 10.9.0.1\r\n');
      expect(rig.offer(OFFER, towards('internal'))).toBe(toB);
    }
    expect(rig.report().legs.map(({ zone }) => zone)).toEqual(['external', 'internal', 'third']);
    expect(rig.node.counter('mediaPorts')).toBe(6);
  });

  it('but in the dialog stays where the other side is', () => {
    rig = new SignallingRig({ zones });
    const toB = rig.offer(OFFER, towards('internal'));
    rig.answer(answerFrom(20));
    expect(rig.offer(OFFER, { ...towards('third'), 'to-tag': 'B' })).toBe(toB);
    expect(rig.offer(OFFER, { ...towards('third'), 'to-tag': 'not heard of' })).toBe(toB);
  });
});
