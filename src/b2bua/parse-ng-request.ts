/**
 * From the dictionary a proxy sent to the settings it means. Keys and flags come in several spellings (a key
 * of its own, a word in `flags`, one string in `rtpp-flags`; words joined by space, hyphen or underscore);
 * here they become one.
 */
import { FLAG_PREFIXES, FLAGS, OPTIONS, Reading, takeTransportWord, takeZones } from './ng-options.ts';
import type { NgDictionary, NgRequest, NgValue } from './ng-request.ts';
import { canonicalName, hasNoEffect, splitAtEquals, splitWords, textOf, textsOf } from './ng-words.ts';

/**
 * Reads a command. Values of a wrong type are as good as absent; nothing throws. Where a setting comes more
 * than once, flags win over keys of their own and the last flag wins: what the proxy's script says
 * is meant to override what its module fills in.
 */
export function parseNgRequest(dictionary: NgDictionary): NgRequest {
  const reading = new Reading();
  const entries = Object.entries(dictionary).map(([key, value]) => ({
    key,
    name: canonicalName(key),
    value,
  }));
  for (const { key, name, value } of entries) {
    if (name === 'command') reading.request.command = textOf(value) ?? '';
    else if (name === 'sdp') reading.request.sdp = textOf(value);
    else if (name !== 'flags' && name !== 'rtpp-flags') takeOption(reading, key, value);
  }
  for (const list of ['flags', 'rtpp-flags']) {
    for (const { name, value } of entries) if (name === list) takeWords(reading, wordsOf(value));
  }
  return reading.finish();
}

/** A list of words, or all of them in one string. */
function wordsOf(value: NgValue): string[] {
  return typeof value === 'string' ? splitWords(value) : textsOf(value);
}

/** Words of `flags` or `rtpp-flags`: options as `name=value`, and flags. */
function takeWords(reading: Reading, words: readonly string[]): void {
  reading.nextZone = 0;
  for (const word of words) {
    const { name, value } = splitAtEquals(word);
    if (value) takeOption(reading, name, value);
    else takeFlag(reading, name);
  }
}

function takeOption(reading: Reading, key: string, value: NgValue): void {
  if (value === '') return;
  const name = canonicalName(key);
  const take = OPTIONS.get(name);
  const isUnderstood = take ? take(reading, value) : hasNoEffect(name);
  if (!isUnderstood) reading.miss(key);
}

function takeFlag(reading: Reading, word: string): void {
  const { request } = reading;
  const name = canonicalName(word);
  const flag = FLAGS.get(name);
  const prefix = FLAG_PREFIXES.find(([start]) => name.startsWith(start));
  let isUnderstood = true;
  if (flag !== undefined) request.flags.add(flag);
  else if (name === 'pad-crypto') request.sdes.pad = true;
  // Zones of these names may be said without `direction=`.
  else if (name === 'internal' || name === 'external') isUnderstood = takeZones(reading, word);
  else if (prefix) isUnderstood = prefix[1](reading, word.slice(prefix[0].length));
  else isUnderstood = takeTransportWord(reading, word.toUpperCase()) || hasNoEffect(name);
  if (!isUnderstood) reading.miss(word);
}
