/**
 * Lines that share a transport (BUNDLE, RFC 9143). Where packets pass untouched, a line of a group has the ICE of
 * the group's first one, whatever it says itself: only that one has to tell (RFC 9143 §7.1.3).
 */
import type { SdpDocument } from '../wire/sdp.ts';
import { type AddressView, kindServed, type RemoteLine, readRemoteLine } from './remote-line.ts';

/** Reads all lines of a description. */
export function readRemoteLines({ session, media }: SdpDocument, view: AddressView): RemoteLine[] {
  const lines = media.map((line) => readRemoteLine(line, view));
  if (!view.passesUntouched) return lines;
  const places = new Map(media.map((line, i) => [line.attribute('mid'), i]));
  for (const group of session.attributes('group')) {
    const [semantics, ...mids] = group.split(/ +/);
    if (semantics !== 'BUNDLE') continue;
    const members = mids.flatMap((mid) => places.get(mid) ?? []);
    const first = members.find((i) => lines[i]?.kind !== 'refused');
    const tagged = first === undefined ? undefined : lines[first];
    if (!tagged?.ice) continue;
    for (const i of members) {
      const [line, section] = [lines[i], media[i]];
      if (!line || !section || line === tagged) continue;
      const ice = line.ice?.hasCandidates ? line.ice : tagged.ice;
      const isAlone = line.kind === 'refused' && section.hasAttribute('bundle-only');
      if (!isAlone) lines[i] = { ...line, ice, bundled: 'grouped' };
      else {
        const { rtp, rtcp } = tagged;
        lines[i] = { ...line, ice, rtp, rtcp, kind: kindServed(section, view), bundled: 'only' };
      }
    }
  }
  return lines;
}
