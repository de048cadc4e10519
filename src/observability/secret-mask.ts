const MASKED = "[masked]";
/** Shorter values would mask ordinary words. */
const MIN_SECRET_LENGTH = 8;

// What looks like a credential, whoever's it is: bearer tokens and keys with a usual prefix.
const CREDENTIAL = /\b(Bearer\s+|sk-|AIza|xox[abp]-|gh[opsu]_)[\w.~+/=-]{6,}/gi;

/** Replaces secrets in text that is on its way out: those it was told of, and what looks like one. */
export class SecretMask {
  #known: RegExp | undefined;

  /** Replaces the set of known secrets, such as the credentials in a snapshot. Short values are ignored. */
  setSecrets(secrets: Iterable<string>): void {
    const patterns = new Set<string>();
    for (const secret of secrets) {
      if (secret.length < MIN_SECRET_LENGTH) continue;
      patterns.add(RegExp.escape(secret));
      // The same secret as it stands inside a JSON string.
      patterns.add(RegExp.escape(JSON.stringify(secret).slice(1, -1)));
    }
    // Longest first: a secret that begins with another one is masked whole.
    const sorted = [...patterns].sort((left, right) => right.length - left.length);
    this.#known = sorted.length > 0 ? new RegExp(sorted.join("|"), "g") : undefined;
  }

  /** The text without secrets. */
  apply(text: string): string {
    const known = this.#known === undefined ? text : text.replace(this.#known, MASKED);
    return known.replace(CREDENTIAL, `$1${MASKED}`);
  }
}
