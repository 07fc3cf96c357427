import { expect, test } from 'vitest';
import { type NgReply, readNgReply, writeNgCommand } from '../../../src/bench/ng-message.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const read = (text: string, cookie = 'c1'): NgReply | undefined => {
  // Not at the start of the memory, and not up to its end.
  const datagram = bytes(text);
  const memory = Buffer.concat([bytes('xxx'), datagram, bytes('e')]);
  return readNgReply(memory, 3, datagram.length, cookie);
};

test('a command is cookie, space, and a bencode dictionary with sorted keys', () => {
  const datagram = writeNgCommand('c1', { flags: ['a', 'bc'], command: 'offer', 'delete delay': 0 });
  expect(Buffer.from(datagram).toString('latin1')).toBe(
    'c1 d7:command5:offer12:delete delayi0e5:flagsl1:a2:bcee',
  );
});

test('of a reply result and SDP are read, whatever stands around them', () => {
  const around = '4:listld1:xl2:eei-5eeee6:nestedd6:result3:bad3:sdp1:ye';
  expect(read(`c1 d${around}6:result2:ok3:sdp5:v=0\r\ne`)).toEqual({ failure: undefined, sdp: 'v=0\r\n' });
  expect(read('c1 d6:result4:ponge')).toEqual({ failure: undefined, sdp: undefined });
});

test('an error is told with its reason, a load limit with its message', () => {
  expect(read('c1 d12:error-reason16:Ran out of ports6:result5:errore')?.failure).toBe(
    'the engine says error: Ran out of ports',
  );
  expect(read('c1 d7:message4:full6:result10:load limite')?.failure).toBe('the engine says load limit: full');
  expect(read('c1 de')?.failure).toContain('undefined: without a reason');
});

test('what answers another cookie is no reply', () => {
  expect(read('c2 d6:result2:oke')).toBeUndefined();
  expect(read('c11 d6:result2:oke')).toBeUndefined();
  expect(read('c1')).toBeUndefined();
  expect(read('')).toBeUndefined();
});

const malformed = [
  'c1 ',
  'c1 i1e',
  'c1 l1:xe',
  'c1 d',
  'c1 d6:result',
  'c1 d6:result2:ok',
  'c1 d6:result2:okee',
  'c1 d6:result20:oke',
  'c1 d6:result99999999999999999999:oke',
  'c1 di1e2:oke',
  'c1 d6:resultl2:oke',
  'c1 d6:resulti5',
  'c1 d6:result-2:oke',
  `c1 d6:result${'l'.repeat(60_000)}`,
];

for (const text of malformed) {
  test(`${text.slice(0, 40)} is a malformed reply, not an exception`, () => {
    expect(read(text)?.failure).toBe('the reply is no bencode dictionary');
  });
}
