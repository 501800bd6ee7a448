/** A model with a view: that of a value, or, where there is none, of its own. */
import { Suspense, useMemo, useState } from "react";
import { part } from "../widgets/part";
import { viewIn } from "./view";

const ModelCanvas = part(() => import("./ModelCanvas").then((all) => all.ModelCanvas), true);

interface Props {
  url: string;
  name: string;
  /** The value that holds the view; undefined where no value does. */
  value?: unknown;
  /** The camera to begin with, without a value. */
  camera?: unknown;
  /** The address of a picture behind it. */
  behind?: string | undefined;
  onView?: ((value: object) => void) | undefined;
  onOpen?: (() => void) | undefined;
}

export function ModelBox({ url, name, value, camera, behind, onView, onOpen }: Props) {
  const [own, setOwn] = useState<unknown>({ camera_info: camera });
  const given = onView === undefined ? own : value;
  const view = useMemo(() => viewIn(given), [given]);
  return (
    <Suspense fallback={<div className="model-view" aria-busy="true" />}>
      <ModelCanvas
        url={url}
        name={name}
        view={view}
        behind={behind}
        onView={onView ?? setOwn}
        onOpen={onOpen}
      />
    </Suspense>
  );
}
