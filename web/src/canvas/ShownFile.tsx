/**
 * A result that is no picture: a video or sound that plays, a model to look at from all sides, or
 * another file to download.
 */
import { Download } from "lucide-react";
import { viewUrl } from "../api/client";
import { ModelBox } from "../model/ModelBox";
import type { ViewValue } from "../state/nodes/views";
import type { ShownFile as ShownValue } from "../state/runs/shownOutputs";
import { MediaPreview } from "../widgets/MediaPreview";
import { t } from "../words/words";

interface Props extends ShownValue {
  /** The value of the node that holds the view of its model, and what changes it. */
  view?: ViewValue | undefined;
  onOpen?: (() => void) | undefined;
}

export function ShownFile({ file, kind, camera, view, onOpen }: Props) {
  const url = viewUrl(file);
  const { filename } = file;
  if (kind === "model") {
    return <ShownModel url={url} name={filename} camera={camera} view={view} onOpen={onOpen} />;
  }
  if (kind !== "file") return <MediaPreview media={{ kind, url, name: filename }} />;
  return (
    <a className="shown-file nodrag" href={url} download={filename} title={t("Download as a file")}>
      <Download size={13} aria-hidden /> {filename}
    </a>
  );
}

interface ModelProps extends Pick<Props, "camera" | "view" | "onOpen"> {
  url: string;
  name: string;
}

export function ShownModel({ view, ...model }: ModelProps) {
  return <ModelBox {...model} {...view} />;
}
