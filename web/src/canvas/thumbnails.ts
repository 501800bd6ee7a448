/** Small copies of the pictures that nodes show, for painting them from afar. */
import { useCallback, useEffect, useRef, useState } from "react";
import { thumbnailUrl } from "../api/results";
import type { NodeSchema } from "../api/types";
import type { GraphNode } from "../document/graph";
import { loadedBy } from "../state/fields/sources";
import { picturesIn } from "../state/outcomes/outputs";
import { placeHere } from "../state/outcomes/places";
import { useRuns } from "../state/outcomes/runs";
import { useTab } from "../state/session/editor";

/** The width of a copy, in pixels: nodes painted from afar are not wider. */
const WIDTH = 160;
/** More are not loaded: about 12 MB. */
const MAX_COPIES = 120;

type ThumbnailOf = (node: GraphNode, schema: NodeSchema | undefined) => ImageBitmap | null;

/**
 * The picture of a node, or null until it is loaded; asking loads it, and the returned function
 * changes when one has arrived.
 */
export function useThumbnails(): ThumbnailOf {
  const start = useTab((tab) => placeHere(tab, ""));
  const shown = useRuns((state) => state.shown);
  const [copies, setCopies] = useState<ReadonlyMap<string, ImageBitmap>>(new Map());
  const asked = useRef(new Set<string>());
  const isGone = useRef(false);
  useEffect(() => {
    isGone.current = false;
    return () => {
      isGone.current = true;
    };
  }, []);
  const load = useCallback((url: string) => {
    if (asked.current.has(url) || asked.current.size >= MAX_COPIES) return;
    asked.current.add(url);
    copyOf(url).then(
      (copy) => {
        if (isGone.current) copy.close();
        else setCopies((before) => new Map(before).set(url, copy));
      },
      // The card says what is wrong with its picture; from afar its place stays empty.
      () => undefined,
    );
  }, []);
  return useCallback(
    (node, schema) => {
      const [made] = picturesIn(shown[start + node.key]);
      const given = made === undefined ? loadedBy(node, schema) : null;
      const url = made === undefined ? null : thumbnailUrl(made.file, WIDTH);
      const wanted = url ?? (given?.kind === "image" ? given.url : null);
      if (wanted === null) return null;
      const copy = copies.get(wanted);
      if (copy === undefined) load(wanted);
      return copy ?? null;
    },
    [shown, start, copies, load],
  );
}

async function copyOf(url: string): Promise<ImageBitmap> {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  const width = Math.max(1, Math.min(WIDTH, picture.naturalWidth));
  return createImageBitmap(picture, { resizeWidth: width, resizeQuality: "medium" });
}
