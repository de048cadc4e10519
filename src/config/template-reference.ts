/** How routes refer to templates: `name`, `name@label` or `name@version`. */

/** A reference, taken apart. */
export interface TemplateReference {
  readonly name: string;
  /** A label, or the digits of a version; undefined: what is published. */
  readonly at: string | undefined;
}

/** A version's share of the requests. */
export interface VersionShare {
  readonly version: number;
  readonly weight: number;
}

/** What a template must have to be referred to. */
interface Referable {
  readonly published?: readonly VersionShare[] | undefined;
  readonly labels: Readonly<Record<string, readonly VersionShare[]>>;
  readonly versions: readonly { readonly version: number }[];
}

/** Takes a reference apart. */
export function parseTemplateReference(text: string): TemplateReference {
  const at = text.indexOf("@");
  return at < 0 ? { name: text, at: undefined } : { name: text.slice(0, at), at: text.slice(at + 1) };
}

/** The versions that a reference stands for; undefined if the template has no such label or version. */
export function sharesOf(template: Referable, at: string | undefined): readonly VersionShare[] | undefined {
  if (at === undefined) {
    return template.published;
  }
  if (/^\d+$/.test(at)) {
    const version = template.versions.find((candidate) => String(candidate.version) === at);
    return version && [{ version: version.version, weight: 1 }];
  }
  return Object.hasOwn(template.labels, at) ? template.labels[at] : undefined;
}
