/** Images and texts below a node's widgets: results, loaded files, and previews during a run. */
import { useStore } from "@xyflow/react";
import { Suspense } from "react";
import { viewUrl } from "../api/client";
import { thumbnailUrl } from "../api/results";
import type { NodeSchema } from "../api/types";
import type { GraphNode } from "../document/graph";
import { loadedBy } from "../state/fields/sources";
import { type NodeOutputs, type Output, picturesIn } from "../state/outcomes/outputs";
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
  shown: NodeOutputs | undefined;
  preview: string | undefined;
  y: number;
  height: number;
}

export function Shown({ node, schema, shown, preview, y, height }: Props) {
  const made = preview === undefined ? shown : undefined;
  const pair = made?.pair ?? null;
  const pictures = picturesIn(made);
  const others = made?.files.filter(({ medium }) => medium !== "image") ?? [];
  const hasResult = preview !== undefined || pair !== null || (made?.files.length ?? 0) > 0;
  const given = hasResult ? null : loadedBy(node, schema);
  return (
    <div className="shown" style={{ top: y, height }}>
      {given !== null && <Given key={given.url} node={node} schema={schema} given={given} />}
      {pair !== null && (
        <Suspense>
          <Wipe
            one={viewUrl(pair[0].file)}
            other={viewUrl(pair[1].file)}
            onOpen={(url) => openAt(url, shown?.job)}
          />
        </Suspense>
      )}
      {preview !== undefined && (
        <div className="pictures of-1">
          <Picture url={preview} src={preview} />
        </div>
      )}
      {pictures.length > 0 && (
        <Pictures pictures={pictures} side={Math.max(node.size.width, height)} job={shown?.job} />
      )}
      {others.map((each) => (
        <Suspense key={viewUrl(each.file)}>
          <ShownFile
            made={each}
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

const MOST_PICTURES = 4;
/** The sizes of thumbnails, in pixels; beyond the largest, a card shows the file itself. */
const THUMBNAILS = [256, 512, 1024];

interface PicturesProps {
  pictures: readonly Output[];
  /** The longest side of their place, in pixels of the graph. */
  side: number;
  job: string | undefined;
}

function Pictures({ pictures, side, job }: PicturesProps) {
  // Doubled steps, so that zooming does not load every size on the way.
  const zoom = useStore(({ transform }) => 2 ** Math.ceil(Math.log2(transform[2])));
  const columns = pictures.length > 1 ? 2 : 1;
  const needed = (side / columns) * Math.max(zoom, 0.5) * window.devicePixelRatio;
  const size = THUMBNAILS.find((each) => each >= needed);
  return (
    <div className={`pictures of-${Math.min(pictures.length, MOST_PICTURES)}`}>
      {pictures.slice(0, MOST_PICTURES).map((made) => {
        const url = viewUrl(made.file);
        const isWhole = size === undefined || made.moves === true;
        const src = isWhole ? url : thumbnailUrl(made.file, size);
        return <Picture key={url} url={url} src={src} made={made} job={job} />;
      })}
      {pictures.length > MOST_PICTURES && (
        <span className="more">
          {t("{{count}} more", { count: pictures.length - MOST_PICTURES })}
        </span>
      )}
    </div>
  );
}

interface PictureProps {
  /** What the viewer opens. */
  url: string;
  src: string;
  /** The result; without it, a preview. */
  made?: Output;
  job?: string | undefined;
}

function Picture({ url, src, made, job = undefined }: PictureProps) {
  return (
    <button
      type="button"
      className="picture nodrag"
      aria-label={t("View at full size")}
      data-picture={
        made === undefined
          ? undefined
          : JSON.stringify({ ...made.file, medium: made.medium, job: job ?? null })
      }
      onClick={() => openAt(url, job)}
    >
      <img src={src} alt="" draggable={false} loading="lazy" />
    </button>
  );
}
