/** A result in full size: zoom to its pixels, step to the next one, and show what made it. */
import { ChevronLeft, ChevronRight, Ellipsis, Info, Maximize, Scan, X } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { viewUrl } from "../api/client";
import type { ImageFile } from "../api/jobs";
import type { ListedJob } from "../api/results";
import { thumbnailUrl } from "../api/results";
import { ModelBox } from "../model/ModelBox";
import type { Output } from "../state/outcomes/outputs";
import {
  closeLightbox,
  indexOnShelf,
  jobsOn,
  showNext,
  useLightbox,
} from "../state/results/lightbox";
import { openPictureMenu, pictureAttribute } from "../state/results/pictureActions";
import { type Result, readResult, sentenceOf } from "../state/results/results";
import { notifyError, useView } from "../state/session/view";
import { beginning } from "../words/format";
import { t } from "../words/words";
import { LightboxFacts } from "./LightboxFacts";
import { useModal } from "./modal";
import { MediumIcon } from "./Picture";
import { pixelZoom, transformOf, useZoom, WHOLE, type ZoomRoom } from "./zoom";
import "./lightbox.css";

const NEARER = 1.25;
const STEP = 60;

export function Lightbox() {
  const url = useView((state) => state.lightbox);
  const shelf = useLightbox((state) => state.shelf);
  if (url === null && shelf === null) return null;
  return <Shown url={url} />;
}

function Shown({ url }: { url: string | null }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { shelf, job, facts } = useLightbox();
  const { result, files, chosen, made, address } = useFile(url);
  const room = useZoom();
  const picture = useRef<HTMLImageElement>(null);
  const { setZoom } = room;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another image starts unzoomed
  useEffect(() => setZoom(WHOLE), [address, setZoom]);
  useModal(dialog);
  const toPixels = () => {
    if (room.box.current === null || picture.current === null) return;
    setZoom(room.zoom.scale === 1 ? pixelZoom(room.box.current, picture.current) : WHOLE);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!keyed(event, room, toPixels)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <dialog
      ref={dialog}
      className="lightbox"
      aria-label={t("A result in full size")}
      onCancel={(event) => {
        event.preventDefault();
        closeLightbox();
      }}
      onKeyDown={onKeyDown}
    >
      <Bar
        url={url}
        job={job}
        picture={picture}
        isImage={url !== null || made?.medium === "image"}
        toPixels={toPixels}
        zoom={room.zoom.scale}
      />
      <div className="around">
        {shelf !== null && <Leaf by={-1} />}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the keys do the same */}
        <div ref={room.box} className="room" {...room.handlers} onDoubleClick={toPixels}>
          <Medium
            address={address}
            made={made}
            job={job}
            result={result}
            picture={picture}
            room={room}
          />
        </div>
        {shelf !== null && <Leaf by={1} />}
        {facts && result !== null && job !== undefined && (
          <LightboxFacts job={job} result={result} />
        )}
      </div>
      {files.length > 1 && <Strip files={files} chosen={chosen} />}
    </dialog>
  );
}

/** The file that is shown, among those of its job. */
function useFile(url: string | null) {
  const { job, file: index, wanted } = useLightbox();
  const result = useResult(url === null ? job : undefined);
  const files = result?.files ?? [];
  const chosen = placeOf(files, wanted) ?? index;
  const made = files[chosen] ?? files[0];
  const address = url ?? (made === undefined ? null : viewUrl(made.file));
  return { result, files, chosen, made, address };
}

/** The index of a file among those of a job; null if it is not one of them, or none is asked for. */
function placeOf(files: readonly Output[], wanted: ImageFile | null): number | null {
  const place = files.findIndex(
    ({ file }) => file.filename === wanted?.filename && file.subfolder === wanted.subfolder,
  );
  return place < 0 ? null : place;
}

function useResult(job: ListedJob | undefined): Result | null {
  const [result, setResult] = useState<Result | null>(null);
  const id = job?.id;
  useEffect(() => {
    let ended = false;
    setResult((before) => (before?.job === id ? before : null));
    if (id === undefined) return;
    readResult(id).then((found) => {
      if (!ended) setResult(found);
    }, notifyError);
    return () => {
      ended = true;
    };
  }, [id]);
  return result;
}

function keyed(event: KeyboardEvent, room: ZoomRoom, toPixels: () => void): boolean {
  const pans: Readonly<Record<string, [number, number]>> = {
    ArrowLeft: [STEP, 0],
    ArrowRight: [-STEP, 0],
    ArrowUp: [0, STEP],
    ArrowDown: [0, -STEP],
  };
  const pan = pans[event.key];
  if (pan !== undefined && event.shiftKey) room.pan(...pan);
  else if (event.key === "ArrowLeft") void showNext(-1);
  else if (event.key === "ArrowRight") void showNext(1);
  else if (event.key === "+" || event.key === "=") room.nearer(NEARER);
  else if (event.key === "-") room.nearer(1 / NEARER);
  else if (event.key === "0") room.setZoom(WHOLE);
  else if (event.key === "1") toPixels();
  else if (event.key === "i") useLightbox.setState(({ facts }) => ({ facts: !facts }));
  else if (event.key === "Escape") closeLightbox();
  else return false;
  return true;
}

interface BarProps {
  url: string | null;
  job: ListedJob | undefined;
  picture: React.RefObject<HTMLImageElement | null>;
  /** Whether an image is shown, not another medium. */
  isImage: boolean;
  toPixels: () => void;
  zoom: number;
}

function Bar({ url, job, picture, isImage, toPixels, zoom }: BarProps) {
  const { shelf, facts } = useLightbox();
  const count = shelf === null ? 0 : jobsOn(shelf).length;
  const at = indexOnShelf({ shelf, job });
  return (
    <header>
      <span className="where">
        {shelf !== null && at >= 0 && t("{{place}} of {{total}}", { place: at + 1, total: count })}
      </span>
      <span className="name">{url === null ? (job?.excerpt ?? job?.title ?? "") : ""}</span>
      <button
        type="button"
        className="ghost"
        aria-label={zoom === 1 ? t("Show actual pixels") : t("Show the whole image")}
        title={`${zoom === 1 ? t("Show actual pixels") : t("Show the whole image")}  1`}
        onClick={toPixels}
      >
        {zoom === 1 ? <Scan size={15} aria-hidden /> : <Maximize size={15} aria-hidden />}
      </button>
      {shelf !== null && (
        <button
          type="button"
          className={facts ? "ghost on" : "ghost"}
          aria-label={t("How it was made")}
          aria-pressed={facts}
          title={`${t("How it was made")}  I`}
          onClick={() => useLightbox.setState({ facts: !facts })}
        >
          <Info size={15} aria-hidden />
        </button>
      )}
      {isImage && (
        <button
          type="button"
          className="ghost"
          aria-label={t("Actions for this picture")}
          aria-haspopup="menu"
          title={t("Actions for this picture")}
          onClick={({ currentTarget }) => openPictureMenu(picture.current, currentTarget)}
        >
          <Ellipsis size={15} aria-hidden />
        </button>
      )}
      <button
        type="button"
        className="ghost"
        aria-label={t("Close the image")}
        onClick={closeLightbox}
      >
        <X size={15} aria-hidden />
      </button>
    </header>
  );
}

function Leaf({ by }: { by: 1 | -1 }) {
  const { shelf, job } = useLightbox();
  const at = indexOnShelf({ shelf, job });
  const to = at + by;
  const can = shelf !== null && at >= 0 && to >= 0 && to < jobsOn(shelf).length;
  const label = by < 0 ? t("Newer result") : t("Older result");
  return (
    <button
      type="button"
      className="ghost leaf"
      aria-label={label}
      title={label}
      disabled={!can}
      onClick={() => void showNext(by)}
    >
      {by < 0 ? <ChevronLeft size={20} aria-hidden /> : <ChevronRight size={20} aria-hidden />}
    </button>
  );
}

interface MediumProps {
  address: string | null;
  made: Output | undefined;
  job: ListedJob | undefined;
  result: Result | null;
  picture: React.RefObject<HTMLImageElement | null>;
  room: ZoomRoom;
}

function Medium({ address, made, job, result, picture, room }: MediumProps) {
  if (address === null) {
    if (result === null) return <p>{t("Loading")}</p>;
    return (
      <div className="said">
        {result.texts.length === 0 && job !== undefined && <p>{sentenceOf(job)}</p>}
        {result.texts.map(({ text }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: texts of a node may be equal
          <pre key={index}>{beginning(text, 400_000)}</pre>
        ))}
      </div>
    );
  }
  if (made?.medium === "video") {
    // biome-ignore lint/a11y/useMediaCaption: generated media has no captions
    return <video src={address} controls autoPlay loop />;
  }
  if (made?.medium === "audio") {
    // biome-ignore lint/a11y/useMediaCaption: generated media has no captions
    return <audio src={address} controls />;
  }
  if (made?.medium === "model") {
    return (
      // The pointer turns the model here, and does not move it as a picture.
      // biome-ignore lint/a11y/noStaticElementInteractions: nothing is done by it
      <div
        className="model-room"
        onPointerDown={(event) => event.stopPropagation()}
        onDoubleClick={(event) => event.stopPropagation()}
      >
        <ModelBox
          url={address}
          name={made.file.filename}
          behind={made.behind === undefined ? undefined : viewUrl(made.behind)}
        />
      </div>
    );
  }
  if (made?.medium === "file") {
    return (
      <a href={address} download={made.file.filename}>
        {t("Download {{name}}", { name: made.file.filename })}
      </a>
    );
  }
  return (
    <img
      ref={picture}
      {...(made === undefined ? {} : { "data-picture": pictureAttribute(made, job?.id) })}
      src={address}
      alt={job?.excerpt ?? t("In full size")}
      draggable={false}
      className={room.zoom.scale > 2 ? "pixels" : ""}
      style={{ transform: transformOf(room.zoom) }}
    />
  );
}

function Strip({ files, chosen }: { files: readonly Output[]; chosen: number }) {
  return (
    <footer className="strip">
      {files.map(({ file, medium }, index) => (
        <button
          key={`${file.subfolder}/${file.filename}`}
          type="button"
          aria-label={t("File {{place}}: {{name}}", { place: index + 1, name: file.filename })}
          aria-current={index === chosen}
          onClick={() => useLightbox.setState({ file: index, wanted: null })}
        >
          {medium === "image" ? (
            <img src={thumbnailUrl(file, 96)} alt="" loading="lazy" />
          ) : (
            <MediumIcon medium={medium} size={22} />
          )}
        </button>
      ))}
    </footer>
  );
}
