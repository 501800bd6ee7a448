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
import type { Output } from "../state/outcomes/outputs";
import { useEditor } from "../state/session/editor";
import { MediaPreview } from "../widgets/MediaPreview";
import { t } from "../words/words";

interface Props {
  made: Output;
  /** The node, whose value may hold the view of its model. */
  node: GraphNode;
  schema: NodeSchema | undefined;
  onOpen?: (() => void) | undefined;
}

export function ShownFile({ made, node, schema, onOpen }: Props) {
  const { file, medium, camera } = made;
  const behind = made.behind === undefined ? undefined : viewUrl(made.behind);
  const url = viewUrl(file);
  const { filename } = file;
  if (medium === "model") {
    const given = { camera, behind, node, schema, onOpen };
    return <ShownModel url={url} name={filename} {...given} />;
  }
  if (medium !== "file") return <MediaPreview media={{ kind: medium, url, name: filename }} />;
  return (
    <a className="shown-file nodrag" href={url} download={filename} title={t("Download as a file")}>
      <Download size={13} aria-hidden /> {filename}
    </a>
  );
}

interface ModelProps extends Pick<Props, "node" | "schema" | "onOpen"> {
  camera?: unknown;
  behind?: string | undefined;
  url: string;
  name: string;
}

export function ShownModel({ node, schema, ...model }: ModelProps) {
  const editor = useEditor();
  return <ModelBox {...model} {...viewOf(editor, node, schema)} />;
}
