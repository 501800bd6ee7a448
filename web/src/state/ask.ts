/** Questions to the user that must be answered before going on. */
import { t } from "../words/words";

export function askName(suggested: string): string | null {
  return window.prompt(t("Save the workflow as"), suggested);
}

/** A name for a file, without what file names cannot hold; null where one gave up. */
export function askForName(question: string, suggested: string): string | null {
  const given = window.prompt(question, suggested)?.replace(/[/\\]/g, "-").trim();
  return given === undefined || given === "" ? null : given;
}
