// What answers: the program, over the loopback interface.

export class Backend {
  constructor(prefix) {
    this.prefix = prefix;
    this.token = new URLSearchParams(location.search).get('token') || '';
    this.waiting = new Map();  // by name: the newest request that must wait
    this.busy = new Set();
  }

  async ask(name, request) {
    const answer = await fetch(this.prefix + name, {
      method: request === undefined ? 'GET' : 'POST',
      headers: {'X-Calotype-Token': this.token},
      body: request === undefined ? undefined : JSON.stringify(request),
    });
    const json = await answer.json();
    if (!answer.ok) {
      const error = new Error(json.error);
      error.status = answer.status;
      throw error;
    }
    return json;
  }

  /// Asks, but one request of a name at a time: while it is answered the newest
  /// one waits and takes the place of older ones, for which null comes.
  newest(name, request) {
    if (this.busy.has(name)) {
      this.waiting.get(name)?.resolve(null);
      return new Promise((resolve, reject) =>
        this.waiting.set(name, {request, resolve, reject}));
    }
    this.busy.add(name);
    return this.ask(name, request)
      .catch((error) => {
        if (error.status === 409) return null;  // of another window's request
        throw error;
      })
      .finally(() => {
        this.busy.delete(name);
        const next = this.waiting.get(name);
        if (!next) return;
        this.waiting.delete(name);
        this.newest(name, next.request).then(next.resolve, next.reject);
      });
  }
}
