/** Notices of the server to the user: shown one after another until dismissed. */
import type { ServerNotice } from "../../api/results";
import { t } from "../../words/words";
import { client } from "../session/server";
import { notifyError, useView } from "../session/view";

export async function showNotices(): Promise<void> {
  try {
    const [first] = await client.notices();
    if (first === undefined) return;
    const onDismiss = () =>
      void client.dismissNotice(first.id).then(showNotices).catch(notifyError);
    useView.setState({ notice: { text: wordsOfNotice(first), tone: "error", onDismiss } });
  } catch {
    // The run bar shows that the server does not answer.
  }
}

/** A notice in the user's language, where its kind is known. */
function wordsOfNotice({ kind, text, details }: ServerNotice): string {
  if (kind !== "database_damaged") return text;
  const { kept, lost, file } = details;
  return t(
    "The database of the queue and the history was damaged. Prompts recovered: {{kept}}; lost: {{lost}}. The damaged file was saved as {{file}}.",
    { kept: String(kept), lost: String(lost), file: String(file) },
  );
}
