/** Events in the words of every view. */
import type { LabEvent } from '../events.ts';
import { oneLine } from './columns.ts';

export function networkLine({ kind, reason }: Extract<LabEvent, { event: 'network' }>): string {
  return `network: ${kind}${reason === null ? '' : ` (${oneLine(reason)})`}`;
}

/** The pages have a line of their own, so that their address is never cut. */
export function mediaPlaneLines({ name, pageUrl }: Extract<LabEvent, { event: 'media-plane' }>): string[] {
  return [
    `media plane: ${oneLine(name)}`,
    ...(pageUrl === null ? [] : [`status pages: ${oneLine(pageUrl)}`]),
  ];
}

export function stepLine({ number, count, title }: Extract<LabEvent, { event: 'step' }>): string {
  return `step ${number} of ${count}: ${oneLine(title)}`;
}
