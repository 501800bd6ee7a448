/** A result that is no picture: a video or sound that plays, or another file to download. */
import { Download } from "lucide-react";
import { viewUrl } from "../api/client";
import type { ShownFile as ShownValue } from "../state/runs/shownOutputs";
import { MediaPreview } from "../widgets/MediaPreview";
import { t } from "../words/words";

export function ShownFile({ file, kind }: ShownValue) {
  const url = viewUrl(file);
  const { filename } = file;
  if (kind !== "file") return <MediaPreview media={{ kind, url, name: filename }} />;
  return (
    <a className="shown-file nodrag" href={url} download={filename} title={t("Download as a file")}>
      <Download size={13} aria-hidden /> {filename}
    </a>
  );
}
