/** What goes wrong in a template: where it was written, and what a function refuses. */
import { SluiceError } from "../lib/errors.ts";

/** The limits of a rendering. */
export type LimitName = "maxOutputBytes" | "maxTemplateDepth" | "maxSteps" | "maxValueDepth" | "stack";

/** Where an error lies and which limit it is about. */
export interface TemplateErrorDetails {
  /** The name that the template was compiled with. */
  readonly templateName: string;
  /** Line in the source, from 1. */
  readonly line: number;
  /** Column in the line, in bytes of UTF-8 from 0, as Go counts. */
  readonly column: number;
  /** Set when the rendering was stopped because of a limit. */
  readonly limit?: LimitName;
  /** The message without any of the template's text, where it has some. */
  readonly withoutSource?: string;
}

/**
 * A template that does not compile (code `invalid_configuration`), or that cannot be rendered with the data given
 * (code `invalid_request`). The message is Go's, word for word, except for limits, which Go does not have.
 */
export class TemplateError extends SluiceError {
  readonly templateName: string;
  readonly line: number;
  readonly column: number;
  readonly limit: LimitName | undefined;
  /** The message for those who send the data: it shows nothing of the template but the place. */
  readonly withoutSource: string;

  constructor(code: "invalid_configuration" | "invalid_request", message: string, details: TemplateErrorDetails) {
    super(code, message);
    this.templateName = details.templateName;
    this.line = details.line;
    this.column = details.column;
    this.limit = details.limit;
    this.withoutSource = details.withoutSource ?? message;
  }
}

/** Thrown by a template function that cannot work with its arguments; becomes `error calling NAME: MESSAGE`. */
export class CallError extends Error {
  override readonly name = "CallError";
}

/** Thrown by the meter; becomes a TemplateError that says where. */
export class LimitError extends Error {
  override readonly name = "LimitError";
  readonly limit: LimitName;

  constructor(limit: LimitName, maximum: number) {
    super(`exceeded ${limit} (${maximum}): render less, or raise the limit`);
    this.limit = limit;
  }
}
