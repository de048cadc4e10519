import type { Usage } from "../dialects/form.ts";
export type Price = { readonly none: true };
export const reserveNanoUsd = (_price: Price, _prompt: number, _output: number): number => 0;
export const costNanoUsd = (_price: Price, _usage: Usage): number => 0;
