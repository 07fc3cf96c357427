import type { Page } from './page.ts';

/** In place of a page below `/calls`, `/call-history` or `/ice-metrics` that names nothing. */
export function notFoundPage(): Page {
  return {
    title: 'Not found',
    content: (
      <p id="missing">
        What this page would show is not there, or not any more. A call that has ended is in the{' '}
        <a href="/call-history">call history</a>, as long as it is kept.
      </p>
    ),
    data: [],
  };
}
