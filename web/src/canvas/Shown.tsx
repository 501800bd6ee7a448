/** Images and texts below a node's widgets: results, loaded files, and previews during a run. */
import { Suspense } from "react";
import { viewUrl } from "../api/client";
import type { NodeSchema } from "../api/types";
import type { GraphNode } from "../document/graph";
import { loadedBy } from "../state/nodes/sources";
import type { ShownOutput as ShownValue } from "../state/runs/runs";
import { useView } from "../state/view";
import { MediaPreview } from "../widgets/MediaPreview";
import { part } from "../widgets/part";
import { beginning } from "../words/format";
import { t } from "../words/words";

const Wipe = part(() => import("../widgets/Wipe").then((module) => module.Wipe));

interface Props {
  node: GraphNode;
  schema: NodeSchema | undefined;
  shown: ShownValue | undefined;
  preview: string | undefined;
  y: number;
  height: number;
}

export function Shown({ node, schema, shown, preview, y, height }: Props) {
  const files = shown?.images ?? [];
  const urls = preview !== undefined ? [preview] : files.map((each) => viewUrl(each));
  const pair = preview === undefined ? (shown?.pair ?? null) : null;
  const given = urls.length > 0 || pair !== null ? null : loadedBy(node, schema);
  return (
    <div className="shown" style={{ top: y, height }}>
      {given !== null && (
        <MediaPreview
          key={given.url}
          media={given}
          onOpen={() => useView.setState({ lightbox: given.url })}
        />
      )}
      {pair !== null && (
        <Suspense>
          <Wipe
            one={viewUrl(pair[0])}
            other={viewUrl(pair[1])}
            onOpen={(url) => useView.setState({ lightbox: url })}
          />
        </Suspense>
      )}
      {urls.length > 0 && (
        <div className={`pictures of-${Math.min(urls.length, 4)}`}>
          {urls.slice(0, 4).map((url) => (
            <button
              key={url}
              type="button"
              className="picture nodrag"
              aria-label={t("View at full size")}
              onClick={() => useView.setState({ lightbox: url })}
            >
              <img src={url} alt="" draggable={false} loading="lazy" />
            </button>
          ))}
          {urls.length > 4 && (
            <span className="more">{t("{{count}} more", { count: urls.length - 4 })}</span>
          )}
        </div>
      )}
      {shown?.text.map((text, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: texts of a node may be equal
        <pre key={index} className="shown-text nodrag nowheel">
          {beginning(text)}
        </pre>
      ))}
    </div>
  );
}
