/**
 * A result that is no picture: a video or sound that plays, a model to look at from all sides, or
 * another file to download.
 */
import { Download } from "lucide-react";
import { viewUrl } from "../api/client";
import type { NodeSchema } from "../api/types";
import type { GraphNode } from "../document/graph";
import { ModelBox } from "../model/ModelBox";
import { viewOf } from "../state/fields/views";
import type { ShownFile as ShownValue } from "../state/outcomes/shownOutputs";
import { MediaPreview } from "../widgets/MediaPreview";
import { t } from "../words/words";

interface Props extends ShownValue {
  /** The node, whose value may hold the view of its model. */
  node: GraphNode;
  schema: NodeSchema | undefined;
  onOpen?: (() => void) | undefined;
}

export function ShownFile({ file, kind, camera, node, schema, onOpen }: Props) {
  const url = viewUrl(file);
  const { filename } = file;
  if (kind === "model") {
    const given = { camera, node, schema, onOpen };
    return <ShownModel url={url} name={filename} {...given} />;
  }
  if (kind !== "file") return <MediaPreview media={{ kind, url, name: filename }} />;
  return (
    <a className="shown-file nodrag" href={url} download={filename} title={t("Download as a file")}>
      <Download size={13} aria-hidden /> {filename}
    </a>
  );
}

interface ModelProps extends Pick<Props, "camera" | "node" | "schema" | "onOpen"> {
  url: string;
  name: string;
}

export function ShownModel({ node, schema, ...model }: ModelProps) {
  return <ModelBox {...model} {...viewOf(node, schema)} />;
}
