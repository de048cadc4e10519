/**
 * The time that a client gets for the last event of a broken stream before its connection ends. One that learns of both at
 * once may drop the event: fetch, and with it the vendors' SDKs, discards what it has not handed out yet when a body breaks.
 */
export const LAST_EVENT_MS = 250;
