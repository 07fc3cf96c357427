import { describe, expect, it } from 'vitest';
import { BENCODE_DEPTH_MAX, BENCODE_VALUES_MAX, latin1Bytes, latin1Text } from '../../../src/wire/bencode.ts';
import {
  dictionaryFromJson,
  dictionaryToJson,
  formatNgMessage,
  NG_COOKIE_BYTES_MAX,
  parseNgMessage,
} from '../../../src/wire/ng-message.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a message', () => {
  it('in bencode', () => {
    expect(parseNgMessage(utf8('5323_1 d7:command4:pinge'))).toEqual({
      cookie: '5323_1',
      encoding: 'bencode',
      dictionary: { command: 'ping' },
    });
  });

  it('in JSON', () => {
    expect(parseNgMessage(utf8('5323_1 {"command": "ping"}'))).toEqual({
      cookie: '5323_1',
      encoding: 'json',
      dictionary: { command: 'ping' },
    });
  });

  it.each(['x d7:command4:pinge\n', 'x {"command":"ping"}\r\n'])('may end with a line end: %j', (text) => {
    expect(parseNgMessage(utf8(text))?.dictionary).toEqual({ command: 'ping' });
  });

  it.each([
    ['empty', ''],
    ['a cookie alone', 'cookie'],
    ['a cookie and a space', 'cookie '],
    ['no cookie', ' d7:command4:pinge'],
    ['no cookie and no space', 'd7:command4:pinge'],
    ['a cookie with a control character', 'a\nb d7:command4:pinge'],
    ['a cookie beyond ASCII', 'é d7:command4:pinge'],
    ['a cookie that is too long', `${'c'.repeat(NG_COOKIE_BYTES_MAX + 1)} de`],
    ['neither notation', 'cookie l4:pinge'],
    ['a second space', 'cookie  d7:command4:pinge'],
  ])('deserves no reply: %s', (_what, text) => {
    expect(parseNgMessage(utf8(text))).toBeUndefined();
  });

  it('may have a cookie as long as the limit', () => {
    expect(parseNgMessage(utf8(`${'c'.repeat(NG_COOKIE_BYTES_MAX)} de`))?.dictionary).toEqual({});
  });

  it.each([
    ['bencode', 'c d7:command4:pin'],
    ['bencode', 'c d7:command4:pingee'],
    ['json', 'c {"command": "ping"'],
    ['json', 'c {"command": "ping"}}'],
    ['json', 'c {"sdp": "\xff"}'],
  ])('tells notation and cookie where the dictionary is malformed: %s %j', (encoding, text) => {
    expect(parseNgMessage(latin1Bytes(text))).toEqual({ cookie: 'c', encoding, dictionary: undefined });
  });

  it('is written in the notation asked for', () => {
    const reply = { result: 'ok', sdp: 'v=0\r\n' };
    expect(latin1Text(formatNgMessage('c_1', 'bencode', reply))).toBe('c_1 d6:result2:ok3:sdp5:v=0\r\ne');
    expect(latin1Text(formatNgMessage('c_1', 'json', reply))).toBe('c_1 {"result":"ok","sdp":"v=0\\r\\n"}');
  });
});

describe('text beyond ASCII', () => {
  const name = 's=Zoë – 會議 😀';

  it('is the same bytes inside, whichever notation it came in', () => {
    const json = parseNgMessage(utf8(`c ${JSON.stringify({ sdp: name, [name]: name })}`))?.dictionary;
    const length = utf8(name).length;
    const bencode = parseNgMessage(utf8(`c d3:sdp${length}:${name}${length}:${name}${length}:${name}e`));
    expect(json).toEqual(bencode?.dictionary);
    expect(json?.sdp).toBe(latin1Text(utf8(name)));
  });

  it.each(['bencode', 'json'] as const)('comes out of %s as it went in', (encoding) => {
    const inside = latin1Text(utf8(name));
    const message = formatNgMessage('c', encoding, { [inside]: inside });
    expect(parseNgMessage(message)?.dictionary).toEqual({ [inside]: inside });
    expect(new TextDecoder().decode(message)).toContain(name);
  });

  it('that is no UTF-8 is shown as Latin-1 in JSON, which has no bytes', () => {
    expect(JSON.parse(dictionaryToJson({ sdp: 's=Zo\xeb' }))).toEqual({ sdp: 's=Zoë' });
  });
});

describe('JSON', () => {
  it('has numbers, flags and nothing, which bencode has in its own way or not', () => {
    const json =
      '{"limit": 5, "TOS": "184", "yes": true, "no": false, "none": null, "list": [null, 1.5, 1e300]}';
    expect(dictionaryFromJson(json)).toEqual({
      limit: 5,
      TOS: '184',
      yes: 1,
      no: 0,
      list: ['1.5', '1e+300'],
    });
  });

  it.each(['', 'null', '5', '"ping"', '[{"command": "ping"}]', '{', '{"a": undefined}'])(
    'is refused where it is no object: %j',
    (text) => {
      expect(dictionaryFromJson(text)).toBeUndefined();
    },
  );

  it('is refused where it is deeper or has more values than bencode may', () => {
    const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    expect(dictionaryFromJson(nested(BENCODE_DEPTH_MAX))).toBeDefined();
    expect(dictionaryFromJson(nested(BENCODE_DEPTH_MAX + 1))).toBeUndefined();
    expect(dictionaryFromJson(`{"a":${'['.repeat(65_000)}${']'.repeat(65_000)}}`)).toBeUndefined();
    const list = (items: number): string => `{"a":[${'0,'.repeat(items - 1)}0]}`;
    expect(dictionaryFromJson(list(BENCODE_VALUES_MAX - 2))).toBeDefined();
    expect(dictionaryFromJson(list(BENCODE_VALUES_MAX - 1))).toBeUndefined();
  });

  it('pollutes no prototype', () => {
    const dictionary = dictionaryFromJson('{"__proto__": {"polluted": "yes"}}');
    expect(Object.keys(dictionary ?? {})).toEqual(['__proto__']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(dictionaryToJson(dictionary ?? {})).toBe('{"__proto__":{"polluted":"yes"}}');
  });
});
