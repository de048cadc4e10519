/** Answers of the admin port: JSON with a status. */

export interface AdminAnswer {
  readonly status: number;
  /** JSON. */
  readonly body: string;
  /** Of 405: the methods that there are. */
  readonly allow?: string;
}

/** An answer that may be long: 200, with JSON in pieces, each made when the one before is on its way. */
export interface LongAnswer {
  readonly pieces: Iterable<string>;
}

export function jsonAnswer(status: number, body: object): AdminAnswer {
  return { status, body: JSON.stringify(body) };
}

/** @param message says what to do */
export function problem(status: number, code: string, message: string): AdminAnswer {
  return jsonAnswer(status, { error: { code, message } });
}
