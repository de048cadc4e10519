/** What the simulated vendor refuses, before a dialect words it. */
export interface VendorErrorDetails {
  /** The dialect's own word for the kind of error; each dialect has one for every status otherwise. */
  readonly type?: string;
  readonly code?: string;
  readonly param?: string;
}

/** An error answer of the simulated vendor. */
export class VendorError extends Error {
  override readonly name = "VendorError";
  readonly status: number;
  readonly details: VendorErrorDetails;

  constructor(status: number, message: string, details: VendorErrorDetails = {}) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

/** A 400 that names the field at fault. */
export function badRequest(message: string, param?: string): VendorError {
  return new VendorError(400, message, param === undefined ? {} : { param });
}
