/** Images and texts below a node's widgets: results, loaded files, and previews during a run. */
import { Suspense } from "react";
import { viewUrl } from "../api/client";
import type { ImageFile } from "../api/jobs";
import type { NodeSchema } from "../api/types";
import type { GraphNode } from "../document/graph";
import { loadedBy } from "../state/fields/sources";
import type { ShownOutput as ShownValue } from "../state/outcomes/shownOutputs";
import { useView } from "../state/session/view";
import { fetchWithRetry } from "../widgets/fetchWithRetry";
import { part } from "../widgets/part";
import { beginning } from "../words/format";
import { t } from "../words/words";

const MediaPreview = part(() =>
  import("../widgets/MediaPreview").then((module) => module.MediaPreview),
);
const ShownFile = part(() => import("./ShownFile").then((module) => module.ShownFile));
const ShownModel = part(() => import("./ShownFile").then((module) => module.ShownModel));
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
  const played = preview === undefined ? (shown?.files ?? []) : [];
  const hasResult = urls.length > 0 || pair !== null || played.length > 0;
  const given = hasResult ? null : loadedBy(node, schema);
  return (
    <div className="shown" style={{ top: y, height }}>
      {given !== null && <Given key={given.url} node={node} schema={schema} given={given} />}
      {pair !== null && (
        <Suspense>
          <Wipe
            one={viewUrl(pair[0])}
            other={viewUrl(pair[1])}
            onOpen={(url) => openAt(url, shown?.job)}
          />
        </Suspense>
      )}
      {urls.length > 0 && (
        <div className={`pictures of-${Math.min(urls.length, 4)}`}>
          {urls.slice(0, 4).map((url, index) => (
            <Picture
              key={url}
              url={url}
              file={preview === undefined ? files[index] : undefined}
              job={shown?.job}
            />
          ))}
          {urls.length > 4 && (
            <span className="more">{t("{{count}} more", { count: urls.length - 4 })}</span>
          )}
        </div>
      )}
      {played.map((each) => (
        <Suspense key={viewUrl(each.file)}>
          <ShownFile
            {...each}
            node={node}
            schema={schema}
            onOpen={() => openAt(viewUrl(each.file), shown?.job)}
          />
        </Suspense>
      ))}
      {shown?.text.map((text, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: texts of a node may be equal
        <pre key={index} className="shown-text nodrag nowheel">
          {beginning(text)}
        </pre>
      ))}
    </div>
  );
}

/** Opens the viewer, which knows what made a picture. */
function openAt(url: string, job?: string): void {
  fetchWithRetry(() => import("../state/results/pictureActions")).then(
    ({ openPictureAt }) => openPictureAt(url, job),
    // The picture itself is there, whatever else is not.
    () => useView.setState({ lightbox: url }),
  );
}

interface GivenProps extends Pick<Props, "node" | "schema"> {
  given: NonNullable<ReturnType<typeof loadedBy>>;
}

/** The file that a node loads. */
function Given({ node, schema, given }: GivenProps) {
  const open = () => openAt(given.url);
  return (
    <Suspense>
      {given.kind === "model" ? (
        <ShownModel url={given.url} name={given.name} node={node} schema={schema} />
      ) : (
        <MediaPreview media={given} onOpen={open} />
      )}
    </Suspense>
  );
}

interface PictureProps {
  url: string;
  /** The result; without it, a preview. */
  file: ImageFile | undefined;
  job: string | undefined;
}

function Picture({ url, file, job }: PictureProps) {
  return (
    <button
      type="button"
      className="picture nodrag"
      aria-label={t("View at full size")}
      data-picture={file === undefined ? undefined : JSON.stringify({ ...file, job: job ?? null })}
      onClick={() => openAt(url, job)}
    >
      <img src={url} alt="" draggable={false} loading="lazy" />
    </button>
  );
}
