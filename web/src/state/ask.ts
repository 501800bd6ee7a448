/** Questions to the user that must be answered before going on. */
import { t } from "../words/words";

export function askName(suggested: string): string | null {
  return window.prompt(t("Save the workflow as"), suggested);
}
