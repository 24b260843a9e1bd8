/** The types are in `signals.d.ts`. */
export * from "@preact/signals-core";
