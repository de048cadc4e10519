/** What came is not HTTP, is not what its head promised, or is larger than it may be. */
export class HttpSyntaxError extends Error {
  override readonly name = "HttpSyntaxError";
  readonly reason: "malformed" | "tooLarge";

  constructor(message: string, reason: "malformed" | "tooLarge" = "malformed") {
    super(message);
    this.reason = reason;
  }
}
