/**
 * The German table. Impersonal, with the English terms of the field where artists use no others.
 */
import { access } from "./german/access";
import { canvas } from "./german/canvas";
import { commands } from "./german/commands";
import { panels } from "./german/panels";
import { results } from "./german/results";
import { state } from "./german/state";

export const german: Readonly<Record<string, string>> = {
  ...canvas,
  ...access,
  ...commands,
  ...panels,
  ...results,
  ...state,
};
