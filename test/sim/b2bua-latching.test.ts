/** Where media goes when packets come from elsewhere than the SDP said, and who can turn it to himself. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import type { Phone, PhoneOptions } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall, type Stranger } from '../kit/b2bua-sim.ts';
import { rtcpPacket } from '../kit/b2bua-stream.ts';
import type { Place } from '../kit/sim-network.ts';

const CM_80 = 'AES_CM_128_HMAC_SHA1_80';
const SECURE = { protocol: 'RTP/SAVP', suites: [CM_80] };
const LATCH_MS = 5000;

let sim: B2buaSim;
let stranger: Stranger;
/** The side of the encrypted phone in every call here, unless it says otherwise. */
let phone: Phone;
let other: Phone;

beforeEach(() => {
  sim = new B2buaSim();
  stranger = sim.stranger();
});
afterEach(() => expect(sim.end()).toEqual([]));

/** A call from a phone outside, whose leg is the one that is looked at, to a plain one inside. */
function callFrom(options: Partial<PhoneOptions>, offer: NgDictionary = {}): SimCall {
  phone = sim.phone({ address: '203.0.113.10', ...options });
  other = sim.phone({ address: '10.0.0.20' });
  return sim.call(phone, other).setUp({ 'transport-protocol': 'RTP/AVP', ...offer });
}

/** The media address that the phone was told. */
function port(component: 'rtp' | 'rtcp' = 'rtp'): Place {
  const place = component === 'rtp' ? phone.audio.remoteRtp : phone.audio.remoteRtcp;
  if (!place) throw new Error('no SDP yet');
  return place;
}

/** What a stranger makes up: RTP of the phone's own stream, as far as it can be seen from outside. */
function forged(): Buffer {
  return phone.audio.next('forged').plain;
}

/** Has the other side speak, and tells who hears it. */
function listeners(): { phone: number; stranger: number } {
  phone.audio.clear();
  stranger.received.length = 0;
  other.audio.say('for the phone alone');
  sim.run(50);
  return { phone: phone.audio.heard.length, stranger: stranger.received.length };
}

/** The phone says a packet every 20 ms. */
function talk(milliseconds: number): void {
  for (let ms = 0; ms < milliseconds; ms += 20) {
    phone.audio.say('in the same place');
    sim.run(20);
  }
}

const PHONE_HEARS = { phone: 1, stranger: 0 };
const STRANGER_HEARS = { phone: 0, stranger: 1 };

describe('a plain leg', () => {
  it('is heard from a NAT that its SDP does not know, and is sent to there', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    expect(call.converse()).toEqual([]);
    expect(sim.node.counter('latched')).toBe(2);
  });

  it('learns nobody before there is an answer', () => {
    phone = sim.phone({ address: '203.0.113.10' });
    other = sim.phone({ address: '10.0.0.20' });
    const call = sim.call(phone, other);
    const offered = call.offer(phone, other);
    const [, calleesPort] = /m=audio (\d+)/.exec(offered) ?? [];
    stranger.send(forged(), { address: '10.0.0.1', port: Number(calleesPort) });
    sim.run(50);
    call.answer(phone, other, offered);
    expect(sim.node.drops).toEqual({ dropUnknownSource: 1 });
    expect(call.converse()).toEqual([]);
    expect(stranger.received).toEqual([]);
  });

  it('is not taken over by a stranger once the phone has been heard at its signalled address', () => {
    const call = callFrom({});
    expect(call.converse()).toEqual([]);
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS);
    expect(other.audio.heard.some((packet) => packet.includes('forged'))).toBe(false);
    expect(sim.node.drops).toEqual({ dropUnknownSource: 1 });
  });

  it('goes back to the phone from a stranger who was faster, and stays there', () => {
    const call = callFrom({});
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual(STRANGER_HEARS);
    expect(call.converse()).toEqual([]);
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS);
  });

  it('goes back to the phone however late it first speaks from its signalled address', () => {
    const call = callFrom({});
    stranger.send(forged(), port());
    sim.run(LATCH_MS + 1000);
    expect(call.converse()).toEqual([]);
    expect(listeners()).toEqual(PHONE_HEARS);
  });

  it('behind a NAT is not taken over once its phone has been heard', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    call.converse();
    stranger.send(forged(), port());
    sim.run(50);
    expect(call.converse()).toEqual([]);
    expect(listeners()).toEqual(PHONE_HEARS);
  });

  it('behind a NAT whose phone is quiet for a while is not taken over either', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    expect(call.converse()).toEqual([]);
    sim.run(2000);
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS);
    expect(call.converse()).toEqual([]);
  });

  it('is looked for anew where the proxy says `reset`', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    call.converse();
    call.negotiate(phone, other, { flags: ['reset'] });
    expect(listeners()).toEqual({ phone: 0, stranger: 0 }); // it went to where the SDP says
    phone.move('203.0.113.99');
    expect(call.converse()).toEqual([]);
  });

  it('learns nobody after its window, and nobody hears what is said to a phone that is not there', () => {
    callFrom({ sdpAddress: '192.168.1.10' });
    sim.run(LATCH_MS + 50);
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual({ phone: 0, stranger: 0 });
    expect(sim.node.drops).toEqual({ dropUnknownSource: 1 });
  });

  it('whose phone moves stays where it was until the next SDP, which opens a window again', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    call.converse();
    expect(call.converse()).toEqual([]);
    phone.move('203.0.113.99');
    expect(call.converse()).not.toEqual([]);
    expect(listeners()).toEqual({ phone: 0, stranger: 0 });
    sim.run(1000);
    call.negotiate(phone, other);
    call.converse();
    expect(call.converse()).toEqual([]);
  });

  it('behind a NAT that moves with its SDP is found there, though packets come late from where it was', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    expect(call.converse()).toEqual([]);
    const before = phone.audio.rtpPlace;
    phone.audio.move({ address: '203.0.113.10', port: before.port + 100 });
    call.negotiate(phone, other);
    sim.stranger(before.address, before.port).send(forged(), port());
    sim.run(20);
    expect(call.converse()).toEqual([]);
    expect(listeners()).toEqual(PHONE_HEARS);
    sim.run(1000);
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS);
  });

  it('behind a NAT that moves late with its SDP is found there all the same, and a stranger is not', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    expect(call.converse()).toEqual([]);
    phone.sdpAddress = '192.168.1.11';
    call.negotiate(phone, other);
    talk(800);
    stranger.send(forged(), port());
    sim.run(20);
    expect(listeners()).toEqual(PHONE_HEARS);
    phone.move('203.0.113.99');
    sim.run(500);
    call.converse();
    expect(call.converse()).toEqual([]);
  });

  it('behind a NAT that moves with the second of two SDPs is found though packets from before both come late', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    expect(call.converse()).toEqual([]);
    const before = phone.audio.rtpPlace;
    phone.audio.move({ address: '203.0.113.10', port: before.port + 100 });
    for (const address of ['192.168.1.11', '192.168.1.12']) {
      phone.sdpAddress = address;
      call.negotiate(phone, other);
    }
    sim.stranger(before.address, before.port).send(forged(), port());
    sim.run(20);
    expect(call.converse()).toEqual([]);
  });

  it('behind a NAT that talks on through a `reset` is not taken over', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    expect(call.converse()).toEqual([]);
    call.negotiate(phone, other, { flags: ['reset'] });
    talk(300);
    stranger.send(forged(), port());
    sim.run(20);
    expect(listeners()).toEqual(PHONE_HEARS);
  });

  it('behind a NAT that stayed in spite of a new SDP is not taken over in a pause after a later one', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    expect(call.converse()).toEqual([]);
    phone.sdpAddress = '192.168.1.11';
    call.negotiate(phone, other);
    talk(6000);
    call.negotiate(other, phone);
    talk(100);
    sim.run(700);
    stranger.send(forged(), port());
    sim.run(20);
    expect(listeners()).toEqual(PHONE_HEARS);
  });

  it('behind a NAT that stays where it is, whatever a new SDP says, is heard and sent to', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    expect(call.converse()).toEqual([]);
    phone.sdpAddress = '192.168.1.11';
    call.negotiate(phone, other);
    sim.run(500);
    expect(call.converse()).toEqual([]);
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS);
    sim.run(LATCH_MS);
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS);
  });

  it('behind a NAT that is talking is not taken over when a re-offer opens its window', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    call.converse();
    call.negotiate(other, phone);
    stranger.send(forged(), port());
    sim.run(20);
    expect(call.converse()).toEqual([]);
    expect(listeners()).toEqual(PHONE_HEARS);
  });

  it('behind a NAT that is put on hold opens its window to nobody', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    call.converse();
    other.line.direction = 'sendonly';
    phone.line.direction = 'recvonly';
    call.negotiate(other, phone);
    sim.run(2000);
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS); // music on hold
    other.line.direction = phone.line.direction = 'sendrecv';
    call.negotiate(other, phone);
    expect(call.converse()).toEqual([]);
  });

  it('on hold by a null address is sent nothing, nor is a stranger, and may send music', () => {
    const call = callFrom({ sdpAddress: '192.168.1.10' });
    call.converse();
    phone.line.isNull = true;
    // So that the other side speaks all the same, as one would that does not know the old way.
    call.negotiate(phone, other, { replace: ['zero-address'] });
    expect(listeners()).toEqual({ phone: 0, stranger: 0 });
    const music = phone.audio.say('music');
    sim.run(50);
    expect(other.audio.heard.at(-1)).toEqual(music);
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual({ phone: 0, stranger: 0 });
    phone.line.isNull = false;
    expect(call.negotiate(phone, other).converse()).toEqual([]);
  });

  it('follows the address of a new SDP at once', () => {
    const call = callFrom({});
    expect(call.converse()).toEqual([]);
    phone.sdpAddress = '203.0.113.99';
    phone.move('203.0.113.99');
    expect(call.negotiate(phone, other).converse()).toEqual([]);
  });

  it('learns RTCP by itself, whatever became of RTP', () => {
    callFrom({});
    stranger.send(rtcpPacket(1, 'stranger'), port('rtcp'));
    sim.run(50);
    other.audio.report();
    sim.run(50);
    expect(stranger.received.length).toBe(1);
    expect(listeners()).toEqual(PHONE_HEARS);
    phone.audio.report();
    sim.run(50);
    other.audio.report();
    sim.run(50);
    expect(phone.audio.reports.length).toBe(1);
    expect(stranger.received.length).toBe(0);
  });

  it('with `asymmetric` hears its phone from any port, and sends where the SDP said', () => {
    const call = callFrom({}, { flags: ['asymmetric'] });
    const elsewhere = sim.stranger('203.0.113.10', 9);
    elsewhere.send(forged(), port());
    stranger.send(forged(), port());
    sim.run(50);
    expect(other.audio.heard.length).toBe(1);
    expect(listeners()).toEqual(PHONE_HEARS);
    expect(call.converse()).toEqual([]);
    expect(elsewhere.received).toEqual([]);
  });
});

describe('an encrypted leg', () => {
  const encrypted = (options: Partial<PhoneOptions> = {}, offer: NgDictionary = {}): SimCall =>
    callFrom({ lines: [SECURE], ...options }, offer);

  it('is sent to where its phone really is after one packet', () => {
    const call = encrypted({ sdpAddress: '192.168.1.10' });
    phone.audio.say('here');
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS);
    phone.audio.report();
    sim.run(50);
    expect(call.converse()).toEqual([]);
  });

  it('is never taken over without the key, however many try in its window', () => {
    const call = encrypted();
    for (let i = 0; i < 20; i++) {
      stranger.send(Buffer.concat([forged(), Buffer.alloc(10, i)]), port());
      stranger.send(Buffer.concat([rtcpPacket(7, 'x'), Buffer.alloc(14, 0x80)]), port('rtcp'));
    }
    stranger.send(forged(), port());
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS);
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({ dropSrtpAuthFailed: 40, dropSrtpMalformed: 1 });
    expect(stranger.received).toEqual([]);
  });

  it('is not taken over by captured packets that are sent again', () => {
    const call = encrypted();
    const packets = [0, 1, 2, 3].map((i) => phone.audio.next(`packet ${i}`).sent);
    for (const packet of packets) phone.audio.transmit(packet);
    sim.run(50);
    for (const packet of packets) stranger.send(packet, port());
    sim.run(50);
    expect(sim.node.drops).toEqual({ dropSrtpReplayed: 4 });
    expect(listeners()).toEqual(PHONE_HEARS);
    expect(call.converse()).toEqual([]);
  });

  it('is not moved by captured packets that the phone sent long ago and that were lost', () => {
    const call = encrypted();
    const lost = phone.audio.next('lost').sent;
    phone.audio.say('newer');
    sim.run(50);
    stranger.send(lost, port());
    sim.run(50);
    expect(listeners()).toEqual(PHONE_HEARS);
    expect(call.converse()).toEqual([]);
  });

  it('follows its phone to a new address with the first packet from there', () => {
    const call = encrypted();
    expect(call.converse()).toEqual([]);
    phone.move('198.18.0.7', 10);
    phone.audio.report();
    sim.run(50);
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({});
  });

  it('is not moved back by a packet that took a detour from the old address', () => {
    const call = encrypted();
    const old = sim.stranger('203.0.113.10', 777);
    const late = phone.audio.next('late').sent;
    expect(call.converse()).toEqual([]);
    phone.move('198.18.0.7');
    phone.audio.say('from the new address');
    sim.run(50);
    other.audio.clear();
    old.send(late, port());
    sim.run(50);
    expect(other.audio.heard.length).toBe(1); // it is authentic, and is heard
    expect(listeners()).toEqual(PHONE_HEARS);
  });

  it('with `asymmetric` stays at the signalled address, wherever its packets come from', () => {
    const call = encrypted({}, { flags: ['asymmetric'] });
    const elsewhere = sim.stranger('203.0.113.10', 9);
    elsewhere.send(phone.audio.next('from another port').sent, port());
    sim.run(50);
    expect(other.audio.heard.length).toBe(1);
    expect(listeners()).toEqual(PHONE_HEARS);
    expect(call.converse()).toEqual([]);
    expect(elsewhere.received).toEqual([]);
  });

  it('stays where it was found when a re-offer says the same', () => {
    const call = encrypted({ sdpAddress: '192.168.1.10' });
    call.converse();
    expect(call.converse()).toEqual([]);
    for (const [offerer, answerer] of [
      [phone, other],
      [other, phone],
    ] as const) {
      call.negotiate(offerer, answerer, { 'transport-protocol': offerer === phone ? 'RTP/AVP' : 'RTP/SAVP' });
      expect(listeners()).toEqual(PHONE_HEARS);
    }
    expect(call.converse()).toEqual([]);
  });
});
