import { Option } from "commander";

/** `--token`: what opens the admin port. */
export function tokenOption(): Option {
  return new Option("--token <token>", "of `admin.tokens`, if the gateway wants one; better in SLUICE_ADMIN_TOKEN");
}
